// The process of one simulated case: one layer on the device, compared with sums over neighbours. GPUSIM_REPORT then has its launches.
//   convolved.ts surface|image size images in out: a slope of so many columns along each side, or the visible pixels of images
import { conv, toDevice } from 'sparse-kernels';
import { halves, powersOfTwo } from './halves.js';
import { maskedImages } from './masked.js';
import { surface } from './surface.js';

const [size = 0, images = 0, inputs = 0, out = 0] = process.argv.slice(3).map(Number);
const x = process.argv[2] === 'image' ? maskedImages(size, images, inputs) : surface(size, inputs);
const axes = x.spatialShape.length;
const rows = x.features.length / inputs;
const cells = 3 ** axes;
const weight = powersOfTwo(out * cells * inputs, 2);
using layer = conv.layer({
  weight: { data: weight, dims: [out, ...x.spatialShape.map(() => 3), inputs] },
  dtype: 'float16',
  device: 'cuda',
});
const operand = { data: halves(x.features, 'float16'), dims: [rows, inputs], type: 'float16' } as const;
using y = await layer.run(await toDevice(operand, 'cuda'), conv.map(x, { kernelSize: 3 }));
const bits = (await y.to('cpu')).data as unknown as Uint16Array;

const site = (row: number) => [...x.coords.subarray((1 + axes) * row, (1 + axes) * (row + 1))];
const rowAt = new Map(Array.from({ length: rows }, (_, row) => [site(row).join(), row]));
for (let row = 0; row < rows; row += 97) {
  const o = row % out;
  const centre = site(row);
  let [sum, magnitude] = [0, 0];
  for (let k = 0; k < cells; k++) {
    const from = rowAt.get(centre.map((c, axis) => (axis === 0 ? c : c + (Math.floor(k / 3 ** (axes - axis)) % 3) - 1)).join());
    for (let i = 0; from !== undefined && i < inputs; i++) {
      const term = (x.features[from * inputs + i] as number) * (weight[(o * cells + k) * inputs + i] as number);
      sum += term;
      magnitude += Math.abs(term);
    }
  }
  const received = toNumber(bits[row * out + o] as number);
  if (!(Math.abs(received - sum) <= 2 ** -10 * Math.abs(sum) + 2 ** -18 * magnitude)) {
    throw new Error(`conv: y[${row}, ${o}] is ${received}, expected ${sum}`);
  }
}

/** What the bits of a float16 stand for. */
function toNumber(half: number): number {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return half & 0x8000 ? -size : size;
}
