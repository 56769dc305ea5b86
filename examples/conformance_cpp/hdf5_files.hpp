// Just enough of HDF5's C interface: arrays as vectors of double, texts, names.
#pragma once

#include <hdf5.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace h5 {

using Vector = std::vector<double>;

inline hid_t good(hid_t id, const std::string& what) {
  if (id < 0) throw std::runtime_error("HDF5 cannot " + what);
  return id;
}

struct Array {
  std::vector<hsize_t> shape;
  Vector data;  // C order, the last axis fastest

  // Entry t of the first axis, such as one task.
  Vector at(std::size_t t) const {
    const std::size_t size = data.size() / shape[0];
    return Vector(data.begin() + t * size, data.begin() + (t + 1) * size);
  }
};

inline bool has(hid_t place, const std::string& name) {
  return H5Lexists(place, name.c_str(), H5P_DEFAULT) > 0;
}

// Numbers of any type are converted to double; so are class labels.
inline Array read(hid_t place, const std::string& name) {
  const hid_t set = good(H5Dopen2(place, name.c_str(), H5P_DEFAULT), "open " + name);
  const hid_t space = H5Dget_space(set);
  Array a;
  a.shape.resize(H5Sget_simple_extent_ndims(space));
  H5Sget_simple_extent_dims(space, a.shape.data(), nullptr);
  a.data.resize(H5Sget_simple_extent_npoints(space));
  const herr_t done = H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, a.data.data());
  H5Sclose(space);
  H5Dclose(set);
  good(done, "read " + name);
  return a;
}

inline hid_t text_type() {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

inline std::string read_text(hid_t place, const std::string& name) {
  const hid_t attribute = good(H5Aopen(place, name.c_str(), H5P_DEFAULT), "find " + name);
  const hid_t type = text_type();
  char* text = nullptr;
  good(H5Aread(attribute, type, &text), "read " + name);
  std::string found(text);
  H5free_memory(text);
  H5Tclose(type);
  H5Aclose(attribute);
  return found;
}

inline std::vector<std::string> names(hid_t group) {
  H5G_info_t info;
  good(H5Gget_info(group, &info), "list a group");
  std::vector<std::string> found;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char name[256];
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
    found.emplace_back(name);
  }
  return found;
}

inline hid_t open_group(hid_t place, const std::string& path) {
  return good(H5Gopen2(place, path.c_str(), H5P_DEFAULT), "open " + path);
}

// Groups on the way are made as needed.
inline hid_t make_group(hid_t place, const std::string& path) {
  const hid_t options = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(options, 1);
  const hid_t made = H5Gcreate2(place, path.c_str(), options, H5P_DEFAULT, H5P_DEFAULT);
  H5Pclose(options);
  return good(made, "make " + path);
}

inline void write(hid_t place, const std::string& name, const Vector& data,
                  const std::vector<hsize_t>& shape) {
  const hid_t space = H5Screate_simple(int(shape.size()), shape.data(), nullptr);
  const hid_t set = good(H5Dcreate2(place, name.c_str(), H5T_NATIVE_DOUBLE, space, H5P_DEFAULT,
                                    H5P_DEFAULT, H5P_DEFAULT), "make " + name);
  good(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()),
       "write " + name);
  H5Dclose(set);
  H5Sclose(space);
}

inline void write_attribute(hid_t place, const std::string& name, hid_t type, const void* value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = good(H5Acreate2(place, name.c_str(), type, space, H5P_DEFAULT,
                                          H5P_DEFAULT), "make " + name);
  good(H5Awrite(attribute, type, value), "write " + name);
  H5Aclose(attribute);
  H5Sclose(space);
}

inline void write_text(hid_t place, const std::string& name, const std::string& text) {
  const hid_t type = text_type();
  const char* start = text.c_str();
  write_attribute(place, name, type, &start);
  H5Tclose(type);
}

}  // namespace h5
