// A stack allocator for Boost.Fiber that reaches a million stacks: one reserved region, the free stacks in a LIFO list
// of their own. The library's allocators do not: the pooled one doubles its chunks until the system refuses them and
// writes into the far end of every stack (a second page each), the protected one runs into the limit of mappings, and
// malloc'ed stacks straddle pages. No guard pages: the library's defaults have none either.
#ifndef PEERS_SLAB_STACKS_HPP
#define PEERS_SLAB_STACKS_HPP

#include <boost/context/stack_context.hpp>
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

class slab_stacks {
 public:
  // Room for `count` stacks of 64 KiB, the usable size of our own default stack.
  static constexpr std::size_t stack_bytes = 65536;

  explicit slab_stacks(std::size_t count) : slab_{new slab{count}} {}

  boost::context::stack_context allocate() {
    boost::context::stack_context stack;
    stack.size = stack_bytes;
    stack.sp = slab_->take() + stack_bytes;
    return stack;
  }

  void deallocate(boost::context::stack_context &stack) noexcept {
    slab_->free.push_back(static_cast<char *>(stack.sp) - stack_bytes);
  }

 private:
  // Shared by all copies (every fiber holds one) and never freed: the process ends with its row.
  struct slab {
    explicit slab(std::size_t count) : left{count} {
      void *region = mmap(nullptr, count * stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
      // Without huge pages: a stack that uses one page would get 512 of them.
      if (region == MAP_FAILED || madvise(region, count * stack_bytes, MADV_NOHUGEPAGE) != 0) throw std::bad_alloc{};
      next = static_cast<char *>(region);
      free.reserve(count);
    }

    char *take() {
      if (!free.empty()) {
        char *stack = free.back();
        free.pop_back();
        return stack;
      }
      if (left == 0) throw std::bad_alloc{};
      left--;
      char *stack = next;
      next += stack_bytes;
      return stack;
    }

    std::size_t left;
    char *next;
    std::vector<char *> free;
  };

  slab *slab_;
};

#endif
