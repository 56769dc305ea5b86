// A CUDA runtime and a driver without a device: memory is the host's, streams do at once
// what they are given, a launch calls back.  A stream that captures records its launches,
// and so does one that waits for an event of such a stream, until it has joined again.

#include <cuda_runtime_api.h>
#undef cudaGetDeviceProperties

#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

// What runs kernels, and keeps what graphs have recorded.
enum What { BEGIN, END, INSTANTIATE, REPLAY };
typedef void (*Launch)(const char* image, const char* name, const unsigned* sizes,
                       void** arguments, int recorded);
typedef void (*Tell)(int what, void* a, void* b);
static Launch on_launch;
static Tell on_graph;
extern "C" void stand_in_calls(Launch launch, Tell graph) {
  on_launch = launch, on_graph = graph;
}

struct Stream {
  bool captures, unjoined;
};
struct Event {
  Stream* captured;
};
static Stream* origin;  // of the recording that is going on
static std::set<Stream*> sides;

static Stream* own(void* stream) { return (size_t)stream > 2 ? (Stream*)stream : nullptr; }
static bool captures(void* stream) { return own(stream) && own(stream)->captures; }

#define OK return cudaSuccess
#define DO(NAME, ARGUMENTS, ...) \
  extern "C" cudaError_t NAME ARGUMENTS { __VA_ARGS__; OK; }

// Memory.  What is new or was given back is full of NaN.
static size_t size_of(void* p) { return ((size_t*)p)[-1]; }
DO(cudaMalloc, (void** p, size_t n), char* room = (char*)aligned_alloc(512, (n + 1535) / 512 * 512);
   *p = room + 512; ((size_t*)*p)[-1] = n; memset(*p, 0xff, n))
DO(cudaFree, (void* p), if (p) { memset(p, 0xff, size_of(p)); free((char*)p - 512); })
DO(cudaHostAlloc, (void** p, size_t n, unsigned), *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096))
DO(cudaFreeHost, (void* p), free(p))
DO(cudaMemcpy, (void* to, const void* from, size_t n, cudaMemcpyKind), memcpy(to, from, n))
DO(cudaMemcpyAsync, (void* to, const void* from, size_t n, cudaMemcpyKind, cudaStream_t s),
   if (captures(s)) return cudaErrorStreamCaptureUnsupported; memcpy(to, from, n))
DO(cudaMemset, (void* p, int v, size_t n), memset(p, v, n))
DO(cudaMemsetAsync, (void* p, int v, size_t n, cudaStream_t s),
   if (captures(s)) return cudaErrorStreamCaptureUnsupported; memset(p, v, n))
DO(cudaMemGetInfo, (size_t* left, size_t* all), *left = *all = (size_t)80 << 30)
DO(cudaPointerGetAttributes, (cudaPointerAttributes* a, const void* p),
   memset(a, 0, sizeof *a); a->devicePointer = (void*)p; a->type = cudaMemoryTypeDevice)

// The device, an H200 by its architecture.
DO(cudaGetDevice, (int* d), *d = 0)
DO(cudaGetDeviceCount, (int* n), *n = 1)
DO(cudaSetDevice, (int))
DO(cudaDeviceSynchronize, (), if (origin) return cudaErrorStreamCaptureUnsupported)
DO(cudaDriverGetVersion, (int* v), *v = 13000)
DO(cudaRuntimeGetVersion, (int* v), *v = 13000)
DO(cudaDeviceGetAttribute, (int* v, cudaDeviceAttr a, int),
   *v = a == cudaDevAttrComputeCapabilityMajor      ? 9
        : a == cudaDevAttrComputeCapabilityMinor    ? 0
        : a == cudaDevAttrMultiProcessorCount       ? 132
        : a == cudaDevAttrPageableMemoryAccess      ? 0
                                                    : 1024)
DO(cudaGetDeviceProperties, (cudaDeviceProp* p, int),
   memset(p, 0, sizeof *p); strcpy(p->name, "fibers"); p->major = 9)
DO(cudaDeviceCanAccessPeer, (int* can, int, int), *can = 0)
extern "C" const char* cudaGetErrorName(cudaError_t e) { return "cudaError"; }
extern "C" const char* cudaGetErrorString(cudaError_t e) {
  return e == cudaErrorMemoryAllocation ? "out of memory" : "see the number";
}
DO(cudaGetLastError, ())

// Streams and events.
DO(cudaStreamCreateWithPriority, (cudaStream_t* s, unsigned, int), *s = (cudaStream_t) new Stream())
DO(cudaStreamCreateWithFlags, (cudaStream_t* s, unsigned), *s = (cudaStream_t) new Stream())
DO(cudaStreamCreate, (cudaStream_t* s), *s = (cudaStream_t) new Stream())
DO(cudaStreamDestroy, (cudaStream_t s), if (captures(s)) return cudaErrorStreamCaptureUnsupported)
DO(cudaStreamSynchronize, (cudaStream_t s), if (captures(s)) return cudaErrorStreamCaptureUnsupported)
DO(cudaStreamIsCapturing, (cudaStream_t s, cudaStreamCaptureStatus* is),
   *is = captures(s) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone)
DO(cudaEventCreateWithFlags, (cudaEvent_t* e, unsigned), *e = (cudaEvent_t) new Event())
DO(cudaEventCreate, (cudaEvent_t* e), *e = (cudaEvent_t) new Event())
DO(cudaEventDestroy, (cudaEvent_t))
DO(cudaEventSynchronize, (cudaEvent_t e),
   if (((Event*)e)->captured) return cudaErrorCapturedEvent)
DO(cudaEventQuery, (cudaEvent_t e), if (((Event*)e)->captured) return cudaErrorCapturedEvent)
DO(cudaEventElapsedTime, (float* ms, cudaEvent_t, cudaEvent_t), *ms = 1)
DO(cudaEventRecord, (cudaEvent_t e, cudaStream_t s),
   ((Event*)e)->captured = captures(s) ? own(s) : nullptr)
DO(cudaStreamWaitEvent, (cudaStream_t s, cudaEvent_t e, unsigned),
   Stream* from = ((Event*)e)->captured; Stream* to = own(s);
   if (captures(s) && !from) return cudaErrorStreamCaptureIsolation;
   if (from && !to) return cudaErrorStreamCaptureImplicit;
   if (from) { to->captures = true; sides.insert(to); if (from != to) from->unjoined = false; })

// Recordings.
DO(cudaStreamBeginCapture, (cudaStream_t s, cudaStreamCaptureMode),
   if (!own(s)) return cudaErrorStreamCaptureUnsupported;
   if (origin) return cudaErrorStreamCaptureUnmatched;
   origin = own(s); sides = {origin}; origin->captures = true; on_graph(BEGIN, 0, 0))
DO(cudaStreamEndCapture, (cudaStream_t s, cudaGraph_t* graph), bool left = false;
   for (Stream* side : sides) {
     left |= side != origin && side->unjoined;
     *side = {};
   } origin = nullptr; *graph = (cudaGraph_t) new char; on_graph(END, *graph, 0);
   if (left) return cudaErrorStreamCaptureUnjoined)
DO(cudaGraphInstantiate, (cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long),
   *exec = (cudaGraphExec_t) new char; on_graph(INSTANTIATE, *exec, graph))
DO(cudaGraphLaunch, (cudaGraphExec_t exec, cudaStream_t s),
   if (captures(s)) return cudaErrorStreamCaptureUnsupported; on_graph(REPLAY, exec, s))
DO(cudaGraphDestroy, (cudaGraph_t))
DO(cudaGraphExecDestroy, (cudaGraphExec_t))
DO(cudaGraphUpload, (cudaGraphExec_t, cudaStream_t))

// The driver: an image names a library, a function is known by both names.
struct Function {
  std::string image, name;
};
#define DRIVER(NAME, ARGUMENTS, ...) \
  extern "C" int NAME ARGUMENTS { __VA_ARGS__; return 0; }
DRIVER(cuGetErrorName, (int, const char** s), *s = "CUDA_ERROR")
DRIVER(cuGetErrorString, (int, const char** s), *s = "the driver that stands in has refused")
DRIVER(cuDevicePrimaryCtxRelease_v2, (int))
DRIVER(cuCtxGetCurrent, (void** context), *context = (void*)1)
DRIVER(cuCtxSetCurrent, (void*))
DRIVER(cuModuleLoadData, (void** module, const char* image), *module = new std::string(image))
DRIVER(cuModuleUnload, (void*))
DRIVER(cuModuleGetFunction, (void** function, std::string* module, const char* name),
       *function = new Function{*module, name})
DRIVER(cuFuncGetAttribute, (int* v, int, void*), *v = 0)
DRIVER(cuFuncSetAttribute, (void*, int, int))
DRIVER(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int* n, void*, int, size_t), *n = 2)
DRIVER(cuOccupancyMaxPotentialBlockSize, (int* grid, int* block, void*, void*, size_t, int),
       *grid = 132; *block = 256)
DRIVER(cuLaunchKernel,
       (Function * f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
        unsigned bz, unsigned, void* stream, void** arguments, void**),
       const unsigned threads = bx * by * bz;
       if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !threads || threads > 1024) return 1;
       if (captures(stream)) own(stream)->unjoined = true;
       const unsigned sizes[] = {gx, gy, gz, bx, by, bz};
       on_launch(f->image.c_str(), f->name.c_str(), sizes, arguments, captures(stream)))
