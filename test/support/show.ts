/** Prints what the environment made the library choose. */
import { getNumThreads, nm } from 'sparse-kernels';

console.log(nm.plan({ weight: { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] }, pattern: '2:4' }).kernel, getNumThreads());
