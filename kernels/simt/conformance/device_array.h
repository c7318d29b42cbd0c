// The templates of kernels/simt/conformance/check.h; include that. Beside the kernels' own headers
// this alone asks which side is compiled.
#pragma once

#include <algorithm>
#include <new>

namespace breakeven::conformance {

#if defined(__CUDACC__)

template <class T>
DeviceArray<T>::DeviceArray(const std::vector<T>& values) : count_(values.size()), data_(nullptr) {
  breakeven::check(cudaMalloc(&data_, count_ * sizeof(T)));
  breakeven::check(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
}

template <class T>
DeviceArray<T>::~DeviceArray() {
  cudaFree(data_);
}

template <class T>
std::vector<T> DeviceArray<T>::values() const {
  breakeven::check(cudaDeviceSynchronize());
  std::vector<T> values(count_);
  breakeven::check(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}

#else

// As aligned as the GPU's allocations, and of exactly its size.
template <class T>
DeviceArray<T>::DeviceArray(const std::vector<T>& values)
    : count_(values.size()),
      data_(static_cast<T*>(::operator new(count_ * sizeof(T), std::align_val_t{256}))) {
  std::copy(values.begin(), values.end(), data_);
}

template <class T>
DeviceArray<T>::~DeviceArray() {
  ::operator delete(data_, std::align_val_t{256});
}

template <class T>
std::vector<T> DeviceArray<T>::values() const {
  return std::vector<T>(data_, data_ + count_);
}

#endif

}  // namespace breakeven::conformance
