#include "tools/latchkey/input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* How the terminal was before its echo was turned off; read by a signal's handler, set while `echo_is_off` is 0 alone. */
static struct termios terminal_before;
static volatile sig_atomic_t echo_is_off;

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

#define N_DEADLY (sizeof(deadly) / sizeof(deadly[0]))

void lk_input_done(struct lk_input *input)
{
	if (input->text) {
		sodium_memzero(input->text, input->len);
	}
	free(input->text);
	*input = (struct lk_input){0};
}

void lk_input_cut_newline(struct lk_input *input)
{
	if (input->len > 0 && input->text[input->len - 1] == '\n') {
		input->text[--input->len] = '\0';
	} else {
		return;
	}
	if (input->len > 0 && input->text[input->len - 1] == '\r') {
		input->text[--input->len] = '\0';
	}
}

/* Doubles the buffer, wiping the one it leaves. */
static bool grow(struct lk_input *input, size_t *room)
{
	size_t larger = *room > 0 ? *room * 2 : 8192;
	char *text = malloc(larger + 1);

	if (!text) {
		return false;
	}
	if (input->text) {
		memcpy(text, input->text, input->len);
		sodium_memzero(input->text, input->len);
		free(input->text);
	}
	input->text = text;
	*room = larger;
	return true;
}

/* Reads `fd` to its end, or to the end of a line where `line`. */
static enum lk_exit read_all(int fd, const char *what, const char *from, size_t max, bool line, struct lk_input *ret)
{
	struct lk_input input = {0};
	size_t room = 0;
	ssize_t n = 1;

	while (n > 0) {
		if (input.len == room && !grow(&input, &room)) {
			lk_input_done(&input);
			return lk_say_no_memory();
		}
		n = read(fd, input.text + input.len, room - input.len);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0) {
			input.len += (size_t)n;
		}
		if (input.len > max || (line && n > 0 && input.text[input.len - 1] == '\n')) {
			break;
		}
	}
	if (n < 0 || input.len > max) {
		if (n < 0) {
			lk_say("cannot read %s from %s: %s", what, from, strerror(errno));
		} else {
			lk_say("%s in %s is longer than %zu bytes", what, from, max);
		}
		lk_input_done(&input);
		return LK_EXIT_USAGE;
	}
	input.text[input.len] = '\0';
	*ret = input;
	return LK_EXIT_OK;
}

/* Opens a file for reading; -1, and it was said why. */
static int open_file(const char *path, const char *what)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		lk_say("cannot read %s from %s: %s", what, path, strerror(errno));
	}
	return fd;
}

enum lk_exit lk_input_read_file(const char *path, const char *what, size_t max, struct lk_input *ret)
{
	enum lk_exit code;
	int fd = open_file(path, what);

	if (fd < 0) {
		return LK_EXIT_USAGE;
	}
	code = read_all(fd, what, path, max, false, ret);
	close(fd);
	return code;
}

enum lk_exit lk_input_read_private_file(const char *path, const char *what, size_t max, struct lk_input *ret)
{
	struct stat status = {0};
	enum lk_exit code = LK_EXIT_USAGE;
	int fd = open_file(path, what);

	if (fd < 0) {
		return LK_EXIT_USAGE;
	}
	if (fstat(fd, &status) != 0) {
		lk_say("cannot read %s from %s: %s", what, path, strerror(errno));
	} else if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		lk_say("%s in %s is open to everybody on this machine: make a new one, in a file of mode 600", what,
			path);
	} else {
		code = read_all(fd, what, path, max, false, ret);
	}
	close(fd);
	return code;
}

enum lk_exit lk_input_read_stdin(const char *what, size_t max, struct lk_input *ret)
{
	return read_all(STDIN_FILENO, what, "standard input", max, false, ret);
}

static void restore_and_die(int signal_number)
{
	if (echo_is_off) {
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
	}
	/* SA_RESETHAND has put the default back: this ends the process as the signal means to. */
	raise(signal_number);
}

/* Turns the echo off, with the deadly signals taking care to turn it on again. */
static bool hide_typing(struct sigaction before[static N_DEADLY])
{
	struct sigaction restoring = {.sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND};
	struct termios hidden;

	if (tcgetattr(STDIN_FILENO, &terminal_before) != 0) {
		return false;
	}
	for (size_t i = 0; i < N_DEADLY; i++) {
		sigaction(deadly[i], &restoring, &before[i]);
	}
	hidden = terminal_before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	/* The newline that ends the secret is shown, so that what comes next starts on a line of its own. */
	hidden.c_lflag |= ECHONL;
	echo_is_off = 1;
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
}

static void show_typing(const struct sigaction before[static N_DEADLY])
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
	echo_is_off = 0;
	for (size_t i = 0; i < N_DEADLY; i++) {
		sigaction(deadly[i], &before[i], NULL);
	}
}

enum lk_exit lk_input_read_secret(const char *prompt, const char *what, size_t max, struct lk_input *ret)
{
	struct sigaction before[N_DEADLY] = {0};
	bool asked = isatty(STDIN_FILENO) == 1;
	enum lk_exit code;

	if (asked) {
		if (!hide_typing(before)) {
			lk_say("cannot hide what is typed (%s): pipe %s in instead", strerror(errno), what);
			return LK_EXIT_USAGE;
		}
		fputs(prompt, stderr);
	}
	code = read_all(STDIN_FILENO, what, "standard input", max, asked, ret);
	if (asked) {
		show_typing(before);
	}
	if (code == LK_EXIT_OK) {
		lk_input_cut_newline(ret);
	}
	return code;
}
