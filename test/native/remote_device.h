#pragma once

// A GPU as far as ggml can tell: ggml's RPC backend, served from another process by the CPU. Its memory cannot be
// touched from here, and it refuses what ggml's CUDA backend refuses.

#include <arpa/inet.h>
#include <ggml-backend-impl.h>
#include <ggml-rpc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace spct {

// Serves the CPU to this process until it ends. Call before any thread is started.
class RemoteDevice {
 public:
  RemoteDevice() : endpoint_("127.0.0.1:" + std::to_string(free_port())), server_(fork()) {
    if (server_ == 0) serve();
    for (int attempt = 0; attempt < 500 && !listens(); ++attempt) usleep(20000);
  }

  ~RemoteDevice() {
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
  }

  RemoteDevice(const RemoteDevice&) = delete;
  RemoteDevice& operator=(const RemoteDevice&) = delete;

  // Makes it the first GPU of ggml's registry.
  void add_to_registry() const {
    ggml_backend_reg_t registry = ggml_backend_rpc_add_server(endpoint_.c_str());
    if (registry == nullptr) {
      std::fprintf(stderr, "there is no server at %s\n", endpoint_.c_str());
      std::exit(1);
    }
    ggml_backend_reg_dev_get(registry, 0)->iface.supports_op = supports_as_cuda;
    ggml_backend_register(registry);
  }

 private:
  static sockaddr_in address(int port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(static_cast<uint16_t>(port));
    return where;
  }

  static int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where = address(0);
    socklen_t size = sizeof where;
    if (bind(socket, reinterpret_cast<sockaddr*>(&where), size) != 0 ||
        getsockname(socket, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
      std::perror("no port");
      std::exit(1);
    }
    close(socket);
    return ntohs(where.sin_port);
  }

  bool listens() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in where = address(std::atoi(endpoint_.c_str() + endpoint_.find(':') + 1));
    const bool connected = connect(socket, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
    close(socket);
    return connected;
  }

  [[noreturn]] void serve() const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when the test fails
    if (std::freopen("/dev/null", "w", stdout) == nullptr) std::exit(1);
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_rpc_start_server(endpoint_.c_str(), nullptr, 1, 1, &cpu);
    std::exit(1);
  }

  // The rules of ggml-cuda for the operations that it does not take in every form.
  static bool supports_as_cuda(ggml_backend_dev_t, const ggml_tensor* op) {
    const ggml_tensor* a = op->src[0];
    const ggml_tensor* b = op->src[1];
    switch (op->op) {
      case GGML_OP_NONE:
      case GGML_OP_RESHAPE:
      case GGML_OP_VIEW:
      case GGML_OP_PERMUTE:
      case GGML_OP_TRANSPOSE:
      case GGML_OP_CONT:
      case GGML_OP_SCALE:
      case GGML_OP_SQR:
      case GGML_OP_SOFT_MAX:
      case GGML_OP_OPT_STEP_ADAMW: return true;
      case GGML_OP_ADD:
      case GGML_OP_SUB:
      case GGML_OP_MUL:
      case GGML_OP_DIV:
      case GGML_OP_REPEAT: return a->type == GGML_TYPE_F32 && (b == nullptr || b->type == GGML_TYPE_F32);
      case GGML_OP_UNARY: {
        const ggml_unary_op unary = ggml_get_unary_op(op);
        const bool known = unary == GGML_UNARY_OP_NEG || unary == GGML_UNARY_OP_SILU || unary == GGML_UNARY_OP_EXP ||
                           unary == GGML_UNARY_OP_EXPM1;
        return known && ggml_is_contiguous(a);
      }
      case GGML_OP_GLU: return ggml_get_glu_op(op) == GGML_GLU_OP_SWIGLU && ggml_is_contiguous_1(a);
      case GGML_OP_SILU_BACK: return ggml_is_contiguous(a) && ggml_is_contiguous(b) && a->type == GGML_TYPE_F32;
      case GGML_OP_RMS_NORM: return ggml_is_contiguous_rows(a);
      case GGML_OP_RMS_NORM_BACK: return ggml_is_contiguous(a) && ggml_is_contiguous(b);
      case GGML_OP_SOFT_MAX_BACK: return ggml_is_contiguous(a) && ggml_is_contiguous(b);
      case GGML_OP_ROPE:
      case GGML_OP_ROPE_BACK: return a->nb[0] == ggml_type_size(a->type) && ggml_is_contiguous_2(a);
      case GGML_OP_MUL_MAT: return a->nb[0] == ggml_type_size(a->type) && b->nb[0] == sizeof(float);
      case GGML_OP_OUT_PROD: {
        // cuBLAS: the leading dimension of b is at least its number of rows.
        const bool transposed = ggml_is_transposed(b);
        const size_t leading = transposed ? b->nb[0] : b->nb[1];
        return a->type == GGML_TYPE_F32 && b->type == GGML_TYPE_F32 && b->nb[transposed ? 1 : 0] == sizeof(float) &&
               leading >= sizeof(float) * static_cast<size_t>(b->ne[transposed ? 1 : 0]);
      }
      case GGML_OP_GET_ROWS: return true;
      case GGML_OP_GET_ROWS_BACK:
        return a->type == GGML_TYPE_F32 && ggml_is_contiguous(a) && op->ne[2] * op->ne[3] == 1;
      case GGML_OP_REPEAT_BACK: return op->type == GGML_TYPE_F32 && a->ne[2] * a->ne[3] <= 1 << 15;
      case GGML_OP_SUM: return ggml_is_contiguous(a);
      case GGML_OP_SUM_ROWS: return ggml_is_contiguous_rows(a);
      case GGML_OP_CPY: return a->type == GGML_TYPE_F32 && op->type == GGML_TYPE_F32;
      default: std::fprintf(stderr, "not known of CUDA: %s\n", ggml_op_desc(op)); return false;
    }
  }

  std::string endpoint_;
  pid_t server_;
};

}  // namespace spct
