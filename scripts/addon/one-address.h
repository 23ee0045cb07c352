// TensorFlow's server listens at every address of the machine and has no setting for it. Here its library's calls of
// bind() are led to a function that puts one address in place of the wildcard: the entries for `bind` in the library's
// own table of imported functions are replaced, and nobody else's. See docs/adr/028-workers.md.
#pragma once

#include <arpa/inet.h>
#include <elf.h>
#include <link.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace one_address {

/** An IPv4 address has its IPv6 form too, for sockets of both. */
struct Address {
  bool is_ipv4;
  in_addr ipv4;
  in6_addr ipv6;
};
inline Address only;
/** Why the last bind() to it failed; 0 if it did not. */
inline int error = 0;

inline int kept(int result) {
  error = result == 0 ? 0 : errno;
  return result;
}

/** Port 0 is of sockets that call others: they stay as they are. */
inline int bind_there(int fd, const sockaddr* address, socklen_t size) noexcept {
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in = *reinterpret_cast<const sockaddr_in6*>(address);
    if (IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr) && in.sin6_port != 0) {
      in.sin6_addr = only.ipv6;
      return kept(bind(fd, reinterpret_cast<sockaddr*>(&in), sizeof in));
    }
  } else if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in = *reinterpret_cast<const sockaddr_in*>(address);
    if (in.sin_addr.s_addr == INADDR_ANY && in.sin_port != 0) {
      if (!only.is_ipv4) {
        errno = EAFNOSUPPORT;
        return kept(-1);
      }
      in.sin_addr = only.ipv4;
      return kept(bind(fd, reinterpret_cast<sockaddr*>(&in), sizeof in));
    }
  }
  return bind(fd, address, size);
}

/** Writes to a slot of a table that the loader may have made read-only. */
inline bool write_slot(uintptr_t slot, uintptr_t value) {
  const auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* page = reinterpret_cast<void*>(slot & ~(page_size - 1));
  if (mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0) return false;
  *reinterpret_cast<uintptr_t*>(slot) = value;
  return true;
}

/** The slots for `bind` among `size` bytes of relocations. */
inline int replace(uintptr_t base, const ElfW(Rela)* entries, size_t size, const ElfW(Sym)* symbols, const char* names) {
  int replaced = 0;
  for (const ElfW(Rela)* entry = entries; size >= sizeof *entry; entry++, size -= sizeof *entry) {
    const auto type = ELF64_R_TYPE(entry->r_info);
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) continue;
    if (std::strcmp(names + symbols[ELF64_R_SYM(entry->r_info)].st_name, "bind") != 0) continue;
    if (write_slot(base + entry->r_offset, reinterpret_cast<uintptr_t>(&bind_there))) replaced++;
  }
  return replaced;
}

inline int replace_in(dl_phdr_info* object, size_t, void* replaced) {
  if (std::strstr(object->dlpi_name, "libtensorflow") == nullptr) return 0;
  const ElfW(Dyn)* entry = nullptr;
  for (int i = 0; i < object->dlpi_phnum; i++)
    if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
      entry = reinterpret_cast<const ElfW(Dyn)*>(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
  uintptr_t symbols = 0, names = 0, calls = 0, data = 0;
  size_t calls_size = 0, data_size = 0;
  for (; entry != nullptr && entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_SYMTAB) symbols = entry->d_un.d_ptr;
    if (entry->d_tag == DT_STRTAB) names = entry->d_un.d_ptr;
    if (entry->d_tag == DT_JMPREL) calls = entry->d_un.d_ptr;
    if (entry->d_tag == DT_PLTRELSZ) calls_size = entry->d_un.d_val;
    if (entry->d_tag == DT_RELA) data = entry->d_un.d_ptr;
    if (entry->d_tag == DT_RELASZ) data_size = entry->d_un.d_val;
  }
  for (const auto& [table, size] : {std::pair(calls, calls_size), std::pair(data, data_size)})
    if (table != 0)
      *static_cast<int*>(replaced) +=
          replace(object->dlpi_addr, reinterpret_cast<const ElfW(Rela)*>(table), size,
                  reinterpret_cast<const ElfW(Sym)*>(symbols), reinterpret_cast<const char*>(names));
  return 0;
}

inline bool parse(const std::string& text) {
  only.is_ipv4 = inet_pton(AF_INET, text.c_str(), &only.ipv4) == 1;
  return inet_pton(AF_INET6, (only.is_ipv4 ? "::ffff:" + text : text).c_str(), &only.ipv6) == 1;
}

/**
 * From now on the library's servers of this process listen at this address, IPv4 or IPv6, alone.
 *
 * @returns why not; empty if so
 */
inline std::string listen_at(const std::string& address) {
  if (!parse(address)) return address + " is no IP address";
  int replaced = 0;
  dl_iterate_phdr(replace_in, &replaced);
  return replaced > 0 ? "" : "libtensorflow calls bind() in a way that is not known here";
}

/** `message`, and before it why the address could not be had, if that was it. */
inline std::string explained(const std::string& message) {
  return error == 0 ? message : std::string("bind: ") + std::strerror(error) + ": " + message;
}

}  // namespace one_address
