/** A tensor, a map and a layer that are valid, and ways to change them. */
import { conv } from 'sparse-kernels';

export const features = new Float32Array(6);
export const coords = Int32Array.of(0, 0, 0, 0, 1, 1, 0, 3, 4);
export const make = (change: object) => conv.tensor({ coords, features, spatialShape: [4, 5], ...change });
export const x = make({});
export const map = conv.map(x, { kernelSize: 3 });
export const weight = { data: new Float32Array(4 * 9 * 2), dims: [4, 3, 3, 2] };
export const layer = conv.layer({ weight });
export const mapOf = (change: object) => conv.map(x, { kernelSize: 3, ...change } as conv.MapOptions);
export const layerOf = (change: object) => conv.layer({ weight, ...change } as conv.LayerOptions);
export const raw = (change: object) => ({ ...x, ...change }) as conv.SparseTensor;

export function detached<T extends Float32Array | Int32Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}
