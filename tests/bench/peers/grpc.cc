/*
 * A unary echo by gRPC C++: what Verify would cost at the least, were it a gRPC service.
 *
 *	bench_grpc serve ADDRESS REPLY_BYTES THREADS			prints "ready", serves until it is killed
 *	bench_grpc drive ADDRESS REQUEST_BYTES CALLERS SECONDS RATE CHANNELS THREADS
 *
 * ADDRESS as gRPC writes it: unix:/path. A request and a reply have as many bytes of message as Verify's. CALLERS: calls under
 * way at a time, spread over CHANNELS, each of which has a connection of its own. RATE: calls a second, an open loop; 0: a closed
 * one. THREADS: completion queues, with a thread each.
 *
 * Server and client are what gRPC advises for speed: completion queues, asynchronous calls on a registered method, insecure,
 * without retries, service configs, bandwidth probes and the optional filters. The messages are bytes as they are, with no
 * protobuf in them.
 *
 * Beside Verify it does nothing: it looks at no byte of the request, and has no store, no deadline and no caller to check.
 */
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/async_unary_call.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tests/bench/figures.h"
#include "tests/bench/pace.h"
#include "tests/lib/check.h"

namespace
{

const char method_name[] = "/bench.Keys/Verify";
/* Calls that a completion queue of the server waits for at a time: as many as are ever under way. */
const int pending_calls = 128;

grpc::ByteBuffer bytes_of(size_t len)
{
	grpc::Slice slice(std::string(len, 'e'));

	return grpc::ByteBuffer(&slice, 1);
}

/* What protoc's plugin would generate for a service of one method. */
class Service final : public grpc::Service
{
      public:
	Service()
	{
		AddMethod(new grpc::internal::RpcServiceMethod(
			method_name, grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
		MarkMethodAsync(0);
	}

	void Request(grpc::ServerContext *context, grpc::ByteBuffer *request,
		grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> *writer, grpc::ServerCompletionQueue *queue,
		void *tag)
	{
		RequestAsyncUnary(0, context, request, writer, queue, queue, tag);
	}
};

/* One call of the server: waits for a request, answers it, and waits again. */
class Answer
{
      public:
	Answer(Service *service, grpc::ServerCompletionQueue *queue, const grpc::ByteBuffer *reply)
	    : service(service), queue(queue), reply(reply)
	{
		wait();
	}

	void proceed(bool ok)
	{
		if (!answering && ok) {
			answering = true;
			call->writer.Finish(*reply, grpc::Status::OK, this);
			return;
		}
		wait();
	}

      private:
	struct Call {
		grpc::ServerContext context;
		grpc::ByteBuffer request;
		grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer{&context};
	};

	/* A context is good for one call. */
	void wait()
	{
		answering = false;
		call.reset(new Call);
		service->Request(&call->context, &call->request, &call->writer, queue, this);
	}

	Service *service;
	grpc::ServerCompletionQueue *queue;
	const grpc::ByteBuffer *reply;
	std::unique_ptr<Call> call;
	bool answering = false;
};

void serve(const char *address, size_t reply_len, size_t threads)
{
	Service service;
	grpc::ByteBuffer reply = bytes_of(reply_len);
	grpc::ServerBuilder builder;
	std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
	std::vector<std::unique_ptr<Answer>> answers;
	std::vector<std::thread> pollers;

	builder.AddListeningPort(address, grpc::InsecureServerCredentials());
	builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
	builder.AddChannelArgument(GRPC_ARG_MINIMAL_STACK, 1);
	builder.RegisterService(&service);
	for (size_t i = 0; i < threads; i++) {
		queues.push_back(builder.AddCompletionQueue());
	}
	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	CHECK_MSG(server != nullptr, address);
	for (auto &queue : queues) {
		for (int i = 0; i < pending_calls; i++) {
			answers.emplace_back(new Answer(&service, queue.get(), &reply));
		}
		pollers.emplace_back([&queue] {
			void *tag = nullptr;
			bool ok = false;
			while (queue->Next(&tag, &ok)) {
				static_cast<Answer *>(tag)->proceed(ok);
			}
		});
	}
	(void)std::printf("ready\n");
	(void)std::fflush(stdout);
	for (;;) {
		(void)pause();
	}
}

struct Driver {
	grpc::ByteBuffer request;
	std::vector<std::unique_ptr<grpc::CompletionQueue>> queues;
	std::atomic<bool> over{false};
	/* An open loop has them. */
	bool open_loop = false;
	struct lk_idle *idle = nullptr;
	std::mutex lock;
	std::condition_variable ended;
	size_t running = 0;
};

/* One call of the client after another. */
class Caller
{
      public:
	Caller(Driver *driver, std::shared_ptr<grpc::Channel> channel, grpc::CompletionQueue *queue,
		struct lk_histogram *histogram)
	    : driver(driver), channel(channel), queue(queue), histogram(histogram),
	      method(method_name, grpc::internal::RpcMethod::NORMAL_RPC, channel)
	{
	}

	void ask(int64_t planned_ns)
	{
		from_ns = planned_ns;
		call.reset(new Call);
		call->reader.reset(grpc::internal::ClientAsyncResponseReaderHelper::Create<grpc::ByteBuffer>(
			channel.get(), queue, method, &call->context, driver->request));
		call->reader->StartCall();
		call->reader->Finish(&call->reply, &call->status, this);
	}

	/* On its queue's thread. */
	void answered()
	{
		int64_t now_ns = lk_pace_clock_ns();

		CHECK_MSG(call->status.ok(), call->status.error_message().c_str());
		CHECK(call->reply.Length() > 0);
		if (driver->over.load(std::memory_order_relaxed)) {
			end();
			return;
		}
		lk_histogram_add(histogram, now_ns - from_ns, 1);
		if (driver->open_loop) {
			lk_idle_put(driver->idle, this);
		} else {
			ask(now_ns);
		}
	}

	void end()
	{
		std::lock_guard<std::mutex> guard(driver->lock);
		if (--driver->running == 0) {
			driver->ended.notify_one();
		}
	}

      private:
	struct Call {
		grpc::ClientContext context;
		grpc::ByteBuffer reply;
		grpc::Status status;
		std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
	};

	Driver *driver;
	std::shared_ptr<grpc::Channel> channel;
	grpc::CompletionQueue *queue;
	struct lk_histogram *histogram;
	grpc::internal::RpcMethod method;
	std::unique_ptr<Call> call;
	int64_t from_ns = 0;
};

std::shared_ptr<grpc::Channel> connect_to(const char *address)
{
	grpc::ChannelArguments arguments;

	/* Else all channels to one address would share one connection. */
	arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
	arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
	arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
	arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
	arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
	auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
	CHECK_MSG(channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20)), address);
	return channel;
}

/* An open loop: starts callers when arrivals are planned, until the end. */
void start_planned(Driver *driver, struct lk_pace *pace, int64_t end_ns)
{
	for (;;) {
		Caller *caller = static_cast<Caller *>(lk_idle_take(driver->idle));
		int64_t planned_ns = lk_pace_next(pace);
		if (planned_ns >= end_ns) {
			lk_idle_put(driver->idle, caller);
			return;
		}
		caller->ask(planned_ns);
	}
}

struct Options {
	size_t request_len;
	size_t callers;
	int64_t length_ns;
	uint64_t rate;
	size_t channels;
	size_t threads;
};

void run(Driver *driver, const Options &options, std::vector<std::unique_ptr<Caller>> &callers,
	struct lk_histogram **histograms)
{
	struct lk_figures figures = {};

	driver->running = callers.size();
	lk_figures_start(&figures);
	int64_t end_ns = figures.started_ns + options.length_ns;
	for (auto &caller : callers) {
		if (driver->open_loop) {
			lk_idle_put(driver->idle, caller.get());
		} else {
			caller->ask(lk_pace_clock_ns());
		}
	}
	if (driver->open_loop) {
		struct lk_pace *pace = lk_pace_new((double)options.rate, figures.started_ns);
		start_planned(driver, pace, end_ns);
		lk_pace_free(pace);
		/* All come back, each after its last answer. */
		for (size_t i = 0; i < callers.size(); i++) {
			(void)lk_idle_take(driver->idle);
		}
		lk_figures_stop(&figures);
	} else {
		std::this_thread::sleep_for(std::chrono::nanoseconds(options.length_ns));
		driver->over.store(true);
		lk_figures_stop(&figures);
		std::unique_lock<std::mutex> guard(driver->lock);
		driver->ended.wait(guard, [driver] { return driver->running == 0; });
	}
	for (size_t i = 1; i < options.threads; i++) {
		lk_histogram_merge(histograms[0], histograms[i]);
	}
	std::string more = ", \"channels\": " + std::to_string(options.channels);
	lk_figures_print(&figures, histograms[0], more.c_str());
}

void drive(const char *address, const Options &options)
{
	Driver driver;
	std::vector<std::unique_ptr<Caller>> callers;
	std::vector<std::shared_ptr<grpc::Channel>> channels;
	std::vector<struct lk_histogram *> histograms;
	std::vector<std::thread> pollers;

	driver.request = bytes_of(options.request_len);
	driver.open_loop = options.rate > 0;
	driver.idle = lk_idle_new(options.callers);
	for (size_t i = 0; i < options.channels; i++) {
		channels.push_back(connect_to(address));
	}
	for (size_t i = 0; i < options.threads; i++) {
		histograms.push_back(lk_histogram_new());
		driver.queues.emplace_back(new grpc::CompletionQueue);
		grpc::CompletionQueue *queue = driver.queues.back().get();
		pollers.emplace_back([queue] {
			void *tag = nullptr;
			bool ok = false;
			while (queue->Next(&tag, &ok)) {
				static_cast<Caller *>(tag)->answered();
			}
		});
	}
	for (size_t i = 0; i < options.callers; i++) {
		size_t queue = i % options.threads;
		callers.emplace_back(new Caller(
			&driver, channels[i % options.channels], driver.queues[queue].get(), histograms[queue]));
	}
	run(&driver, options, callers, histograms.data());
	for (size_t i = 0; i < options.threads; i++) {
		driver.queues[i]->Shutdown();
		pollers[i].join();
		lk_histogram_free(histograms[i]);
	}
	lk_idle_free(driver.idle);
}

} // namespace

int main(int argc, char **argv)
{
	if (argc == 5 && std::strcmp(argv[1], "serve") == 0) {
		serve(argv[2], lk_option_number("REPLY_BYTES", argv[3], 1), lk_option_number("THREADS", argv[4], 1));
	}
	CHECK_MSG(argc == 9 && std::strcmp(argv[1], "drive") == 0,
		"bench_grpc serve ADDRESS REPLY_BYTES THREADS | "
		"drive ADDRESS REQUEST_BYTES CALLERS SECONDS RATE CHANNELS THREADS");
	Options options = {};
	options.request_len = lk_option_number("REQUEST_BYTES", argv[3], 1);
	options.callers = lk_option_number("CALLERS", argv[4], 1);
	options.length_ns = lk_option_seconds("SECONDS", argv[5]);
	options.rate = lk_option_number("RATE", argv[6], 0);
	options.channels = lk_option_number("CHANNELS", argv[7], 1);
	options.threads = lk_option_number("THREADS", argv[8], 1);
	drive(argv[2], options);
	return 0;
}
