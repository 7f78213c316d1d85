// The process of one simulated case: one layer on the device, compared with sums over neighbours. GPUSIM_REPORT then has its launches.
//   convolved.ts width in out
import { conv, toDevice } from 'sparse-kernels';
import { halves, powersOfTwo } from './halves.js';
import { surface } from './surface.js';

const [width = 0, inputs = 0, out = 0] = process.argv.slice(2).map(Number);
const x = surface(width, inputs);
const weight = powersOfTwo(out * 27 * inputs, 2);
using layer = conv.layer({ weight: { data: weight, dims: [out, 3, 3, 3, inputs] }, dtype: 'float16', device: 'cuda' });
const operand = { data: halves(x.features, 'float16'), dims: [width * width, inputs], type: 'float16' } as const;
using y = await layer.run(await toDevice(operand, 'cuda'), conv.map(x, { kernelSize: 3 }));
const bits = (await y.to('cpu')).data as unknown as Uint16Array;

const rowAt = new Map(Array.from({ length: width * width }, (_, row) => [x.coords.subarray(4 * row, 4 * row + 4).join(), row]));
for (let row = 0; row < width * width; row += 97) {
  const o = row % out;
  const [, z = 0, v = 0, u = 0] = x.coords.subarray(4 * row, 4 * row + 4);
  let [sum, magnitude] = [0, 0];
  for (let k = 0; k < 27; k++) {
    const from = rowAt.get([0, z + Math.floor(k / 9) - 1, v + (Math.floor(k / 3) % 3) - 1, u + (k % 3) - 1].join());
    for (let i = 0; from !== undefined && i < inputs; i++) {
      const term = (x.features[from * inputs + i] as number) * (weight[(o * 27 + k) * inputs + i] as number);
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
