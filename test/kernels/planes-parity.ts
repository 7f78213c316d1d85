import { conv, type KernelInfo } from 'sparse-kernels';
import { type PlanesCase, planesCases } from '../cases/planes.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear } from '../reference/nm.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

/** Every case × few, half and nearly all of the weights kept, the blocks of the row together or not. */
export function* planesChecks(row: KernelInfo): Iterable<Check> {
  const block = row.pattern === 'unstructured' ? 1 : (Number(row.pattern[0]) as 2 | 4);
  for (const percent of [0, 4, 20, 50, 97]) {
    for (const c of planesCases) {
      for (const together of block === 1 ? [true] : [true, false]) {
        const run = (exact: boolean) => compareWithOracle(c, percent, block, together, row, exact);
        yield { name: `${percent} % kept${together ? '' : ' apart'}, ${c.name}`, run: () => run(true) ?? run(false) };
      }
    }
  }
}

/** Which weights stay: hashed, so that neighbours have nothing to do with each other; those of a block stay or go `together`. */
function keepSome(weight: Float32Array, inputs: number, percent: number, block: number): Float32Array {
  return weight.map((w, i) => {
    const place = Math.floor(Math.floor(i / inputs) / block) * inputs + (i % inputs);
    return (Math.imul(place + 1, 0x9e3779b1) >>> 8) % 100 < percent ? w : 0;
  });
}

function compareWithOracle(
  c: PlanesCase,
  percent: number,
  block: 1 | 2 | 4,
  together: boolean,
  row: KernelInfo,
  exact: boolean,
): Mismatch | null {
  const { images, inputs, outputs, pixels } = c;
  const fill = exact ? smallIntegers : uniform;
  const place = c.misaligned ? misaligned : (a: Float32Array) => a;
  const weight = place(keepSome(fill(outputs * inputs, 1), inputs, percent, together ? block : 1));
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const x = place(fill(images * inputs * pixels, 3));
  using layer = conv.pointwise({
    ...{ weight: { data: weight, dims: [outputs, inputs, 1, 1] }, block, activation: c.activation ?? 'none', isa: row.isa },
    ...(bias && { bias }),
  });
  if (layer.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${layer.kernel} was chosen`);
  const out = place(new Float32Array(images * outputs * pixels).fill(Number.NaN)); // an element that is not written fails
  layer.runSync({ data: x, dims: [images, inputs, pixels] }, { out });
  const tokens = transposed(x, images, inputs, pixels);
  const y = denseLinear({ x: tokens, weight, bias, tokens: images * pixels, inputs, outputs });
  const least = c.activation === undefined ? Number.NEGATIVE_INFINITY : 0;
  const most = c.activation === 'relu6' ? 6 : Number.POSITIVE_INFINITY;
  const expected = Float64Array.from(out, (_, e) => {
    const [image, o, pixel] = [Math.floor(e / pixels / outputs), Math.floor(e / pixels) % outputs, e % pixels];
    return Math.min(Math.max(y[(image * pixels + pixel) * outputs + o] as number, least), most);
  });
  const tolerance = exact ? 0 : dotTolerance(inputs, maxAbs(x), maxAbs(weight), bias ? maxAbs(bias) : 0);
  return firstMismatch(out, expected, tolerance);
}

/** [images, channels, pixels] -> [images, pixels, channels] */
function transposed(x: Float32Array, images: number, channels: number, pixels: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let n = 0; n < images; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) y[(n * pixels + p) * channels + c] = x[(n * channels + c) * pixels + p] as number;
    }
  }
  return y;
}
