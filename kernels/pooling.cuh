// The largest elements of windows, and the way of gradients back to them.
#pragma once

#include "vector.cuh"
#include "window.cuh"

// What is largest in a window, for each of Width channels: a value, and the tap r*S+s where it was found.
template <int Width> struct Largest {
	Vector<Width> value, tap;
};

// largest_of compares value(v) of the elements v of X that the window of output o reads, from channel c; there is at least one. The first of equal values
// wins, and NaN over all. Unless element is null, it is set to the element of X at the tap.
template <int Width, class T, class Value>
DEVICE Largest<Width> largest_of(const T *x, const Axis &rows, const Axis &columns, const Pixel &o, int channels, int c, Value value,
								 Vector<Width> *element) {
	const Range tr = rows.taps_inside(o.row), ts = columns.taps_inside(o.column);
	const auto read = [&](int r, int s) {
		const int h = rows.start(o.row) + r * rows.dilation, w = columns.start(o.column) + s * columns.dilation;
		return load<Width>(x + at(o.image, h, w, rows.size, columns.size, channels) + c);
	};
	const float first = static_cast<float>(tr.begin * columns.taps + ts.begin);
	Largest<Width> best = {each<Width>([](int) { return -INFINITY; }), each<Width>([&](int) { return first; })};
	if (element) *element = read(tr.begin, ts.begin);
	for (int r = tr.begin; r < tr.end; r++) {
		for (int s = ts.begin; s < ts.end; s++) {
			const Vector<Width> in = read(r, s), values = value(in);
			const float tap = static_cast<float>(r * columns.taps + s);
#pragma unroll
			for (int i = 0; i < Width; i++) {
				const float u = values.v[i], m = best.value.v[i];
				const bool take = !(u <= m) && m == m;
				best.value.v[i] = take ? u : m;
				best.tap.v[i] = take ? tap : best.tap.v[i];
				if (element) element->v[i] = take ? in.v[i] : element->v[i];
			}
		}
	}
	return best;
}

// sum_to_largest adds up gradient(e) over the elements e, from channel c, of the outputs that ARG says were taken from pixel i.
template <int Width, class Gradient>
DEVICE Vector<Width> sum_to_largest(const float *arg, const Axis &rows, const Axis &columns, const Pixel &i, int channels, int c, Gradient gradient) {
	Vector<Width> sum = {};
	for_each_reader(rows, columns, i, [&](int p, int q, int r, int s) {
		const index_t o = at(i.image, p, q, rows.outputs, columns.outputs, channels) + c;
		const Vector<Width> d = gradient(o), a = load<Width>(arg + o);
		const float tap = static_cast<float>(r * columns.taps + s);
#pragma unroll
		for (int k = 0; k < Width; k++) sum.v[k] += a.v[k] == tap ? d.v[k] : 0.0f;
	});
	return sum;
}
