// The driver's functions on modules and kernels. The kernels are linked in and have registered themselves; a module is the name of
// their family.

#include <cstring>
#include <memory>

#include "api.h"
#include "memory.h"

using namespace emu;

namespace emu {

// kernels is filled before main, in the order of the linker.
static std::vector<std::unique_ptr<Kernel>> &kernels() {
	static std::vector<std::unique_ptr<Kernel>> list;
	return list;
}

void add_kernel(const char *name, const char *file, int threads, Entry entry, const int *sizes, int count) {
	const char *slash = strrchr(file, '/');
	std::string family = slash ? slash + 1 : file;
	family = family.substr(0, family.rfind('.'));
	kernels().emplace_back(new Kernel{name, family, threads, entry, std::vector<int>(sizes, sizes + count), static_cast<int>(static_shared_limit)});
}

Kernel *find_kernel(const std::string &name, const std::string &family) {
	for (const auto &k : kernels())
		if (k->name == name && k->family == family) return k.get();
	return nullptr;
}

} // namespace emu

EMU_API cuModuleLoadData(void **module, const void *image) {
	LOCK;
	TRY(usable());
	NEED(capability() >= 80, no_binary); // the sources use instructions of 8.0
	const char *family = static_cast<const char *>(image);
	for (const auto &k : kernels()) {
		if (k->family == family) {
			*module = new std::string(family);
			return success;
		}
	}
	report = "the emulated driver has no kernels of that name";
	return invalid_image;
}

EMU_API cuModuleUnload(void *module) {
	LOCK;
	if (usable() == success) TRY(finish_all());
	delete static_cast<std::string *>(module);
	return success;
}

EMU_API cuModuleGetFunction(Kernel **f, void *module, const char *name) {
	LOCK;
	TRY(usable());
	*f = find_kernel(name, *static_cast<std::string *>(module));
	if (*f) return success;
	report = std::string("no kernel ") + name + " in " + *static_cast<std::string *>(module) + ".cu";
	return not_found;
}

EMU_API cuFuncGetAttribute(int *value, int attribute, const Kernel *f) {
	NEED(f, invalid_handle);
	switch (attribute) {
	case 0: *value = f->threads; return success;
	case 4: *value = 32; return success; // registers: any number
	case 5: case 6: *value = capability(); return success;
	case 8: *value = f->max_dynamic_shared; return success;
	}
	*value = 0;
	return success;
}

EMU_API cuFuncSetAttribute(Kernel *f, int attribute, int value) {
	LOCK;
	NEED(f, invalid_handle);
	NEED(attribute == 8 || attribute == 9, invalid_value);
	if (attribute == 9) return success; // the preferred share of the cache
	if (value < 0 || value > static_cast<int>(shared_limit())) {
		report = std::to_string(value) + " bytes of dynamic shared memory, of at most " + std::to_string(shared_limit());
		return invalid_value;
	}
	f->max_dynamic_shared = value;
	return success;
}

EMU_API cuFuncGetParamInfo(const Kernel *f, size_t index, size_t *offset, size_t *size) {
	NEED(f, invalid_handle);
	NEED(index < f->sizes.size(), invalid_value);
	*offset = 0;
	for (size_t i = 0; i <= index; i++) {
		*offset = (*offset + f->sizes[i] - 1) / f->sizes[i] * f->sizes[i];
		*size = f->sizes[i];
		if (i < index) *offset += f->sizes[i];
	}
	return success;
}

EMU_API cuLaunchKernel(const Kernel *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *s,
					   void **parameters, void **) {
	LOCK;
	TRY(usable());
	TRY(fault(Operation::launch));
	NEED(f, invalid_handle);
	const auto refuse = [&](Result code, const std::string &why) {
		report = "kernel " + f->name + ": " + why;
		return code;
	};
	const uint64_t size = static_cast<uint64_t>(bx) * by * bz;
	if (gx == 0 || gy == 0 || gz == 0 || size == 0) return refuse(invalid_value, "an empty grid or block");
	if (gx > 0x7fffffff || gy > 65535 || gz > 65535) return refuse(invalid_value, "a grid beyond the limits");
	if (size > 1024 || bz > 64) return refuse(invalid_value, std::to_string(size) + " threads in a block, of at most 1024");
	if (size > static_cast<unsigned>(f->threads))
		return refuse(launch_out_of_resources, std::to_string(size) + " threads in a block, its launch bound is " + std::to_string(f->threads));
	if (shared > static_cast<unsigned>(f->max_dynamic_shared))
		return refuse(invalid_value, std::to_string(shared) + " bytes of dynamic shared memory, allowed are " + std::to_string(f->max_dynamic_shared));
	Work w = {};
	w.kind = Work::launch;
	w.kernel = {f, {gx, gy, gz}, {bx, by, bz}, shared, {}};
	for (size_t i = 0; i < f->sizes.size(); i++) {
		uint64_t word = 0;
		memcpy(&word, parameters[i], f->sizes[i]);
		w.kernel.words.push_back(word);
	}
	return submit(s, w);
}
