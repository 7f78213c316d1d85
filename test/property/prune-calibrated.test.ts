/** Laws of pruning by what a layer sees. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { calibrated, of, ones, pattern, reordered, scope, single, small, sparsity, type Weight } from './prune-inputs.js';

/** A weight, and tokens of its inputs. */
const layer = small.chain((weight) =>
  fc
    .integer({ min: 1, max: 9 })
    .chain((tokens) => of(fc.integer({ min: -20, max: 20 }), tokens, weight.dims[1]).map((x) => ({ weight, x, inputs: weight.dims[1] }))),
);
const withScale = (scale: number, data: Float32Array) => data.map((value) => value * scale);
const power = fc.integer({ min: -8, max: 8 }).map((exponent) => 2 ** exponent);
const scaled = ({ data, dims }: Weight, by: number): Weight => ({ data: withScale(by, data), dims });
const rowScope = sparsity.map((sparsity) => ({ scope: 'row' as const, sparsity }));
const swappable: fc.Arbitrary<prune.Scope> = fc.oneof(
  rowScope,
  pattern.map((pattern) => ({ scope: 'nm' as const, pattern })),
);

test('sums of a calibration do not depend on batches nor on the order of tokens', () => {
  fc.assert(
    fc.property(layer, fc.nat(), ({ x, inputs }, cut) => {
      const tokens = x.length / inputs;
      const whole = calibrated(x, inputs, 0);
      const parts = new prune.Calibration(inputs, { hessian: true });
      const turned = reordered(x, inputs, (token) => tokens - 1 - token);
      const at = (cut % (tokens + 1)) * inputs;
      for (const data of [turned.subarray(0, at), turned.subarray(at)]) parts.add({ data, dims: [data.length / inputs, inputs] });
      for (const key of ['sums', 'squares', 'products', 'tokens'] as const) expect(parts[key]).toEqual(whole[key]);
    }),
  );
});

test('Wanda of inputs of equal norm is magnitude pruning', () => {
  fc.assert(
    fc.property(small, scope, power, (weight, of, norm) => {
      const calibration = calibrated(new Float32Array(0), weight.dims[1], norm);
      expect(prune.wanda(weight, { ...of, calibration })).toEqual(prune.magnitude(weight, of));
    }),
  );
});

test('Wanda of a weight and of inputs that are scaled by a power of two has the same mask', () => {
  fc.assert(
    fc.property(layer, scope, power, power, ({ weight, x, inputs }, of, a, b) => {
      const { mask } = prune.wanda(weight, { ...of, calibration: calibrated(x, inputs, 1) });
      expect(prune.wanda(scaled(weight, a), { ...of, calibration: calibrated(withScale(b, x), inputs, b) }).mask).toEqual(mask);
    }),
  );
});

test('the scores of Wanda are |w| ||x||', () => {
  fc.assert(
    fc.property(layer, single, ({ weight, x, inputs }, of) => {
      const calibration = calibrated(x, inputs, 1);
      const scores = weight.data.map((w, i) => Math.abs(w) * Math.sqrt(calibration.squares[i % inputs] as number));
      expect(prune.wanda(weight, { ...of, calibration }).mask).toEqual(prune.mask({ data: scores, dims: weight.dims }, of));
    }),
  );
});

test('SparseGPT of inputs that do not correlate is magnitude pruning, by squares where sums decide, and repairs nothing', () => {
  fc.assert(
    fc.property(small, single, scope, power, fc.constantFrom(0, 0.01, 1), (weight, of, any, norm, damp) => {
      const calibration = calibrated(new Float32Array(0), weight.dims[1], norm);
      expect(prune.sparsegpt(weight, { ...of, calibration, damp })).toEqual(prune.magnitude(weight, of));
      const { weight: kept, mask } = prune.sparsegpt(weight, { ...any, calibration, damp: 0 });
      expect(mask).toEqual(prune.mask({ data: weight.data.map((w) => w ** 2), dims: weight.dims }, any));
      expect(kept).toEqual(prune.apply(weight, mask));
    }),
  );
});

test('SparseGPT of weights and inputs that are scaled by powers of two is scaled likewise, and rows may be reversed', () => {
  const alone = single.filter((of) => of.scope !== 'global');
  fc.assert(
    fc.property(layer, alone, power, power, ({ weight, x, inputs }, of, a, b) => {
      const got = prune.sparsegpt(weight, { ...of, calibration: calibrated(x, inputs, 1) });
      const other = prune.sparsegpt(scaled(weight, a), { ...of, calibration: calibrated(withScale(b, x), inputs, b) });
      expect(other).toEqual({ mask: got.mask, weight: { ...got.weight, data: withScale(a, got.weight.data) } });
      const reverse = <T extends Float32Array | Uint8Array>(data: T) => reordered(data, inputs, (r) => weight.dims[0] - 1 - r);
      const reversed = prune.sparsegpt({ data: reverse(weight.data), dims: weight.dims }, { ...of, calibration: calibrated(x, inputs, 1) });
      expect(reversed.weight.data).toEqual(reverse(got.weight.data));
    }),
  );
});

/** (a - b) XᵀX (a - b)ᵀ of a row: what pruning changes in the outputs for the calibration's tokens. */
function errorOf(a: Float32Array, b: Float32Array, { products, inFeatures: n }: prune.Calibration, row: number): number {
  const difference = Float64Array.from({ length: n }, (_, j) => (a[row * n + j] as number) - (b[row * n + j] as number));
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) sum += (difference[i] as number) * (products?.[i * n + j] as number) * (difference[j] as number);
  return sum;
}

test('SparseGPT that removes one weight of a row changes outputs no more than removing any one weight without repair', () => {
  const two = layer.filter(({ inputs }) => inputs >= 2);
  fc.assert(
    fc.property(two, ({ weight, x, inputs }) => {
      const calibration = calibrated(x, inputs, 1);
      const { weight: repaired, mask } = prune.sparsegpt(weight, { scope: 'row', sparsity: 1.5 / inputs, calibration, damp: 0 });
      for (let r = 0; r < weight.dims[0]; r++) {
        expect(ones({ data: mask.data.subarray(r * inputs, (r + 1) * inputs) })).toBe(inputs - 1);
        const error = errorOf(weight.data, repaired.data, calibration, r);
        for (let j = 0; j < inputs; j++) {
          const without = weight.data.slice();
          without[r * inputs + j] = 0;
          const least = errorOf(weight.data, without, calibration, r);
          expect(error).toBeLessThanOrEqual(least * (1 + 1e-6) + 1e-6);
        }
      }
    }),
  );
});

test('no other values of the weights to the right of all pruned ones change outputs less than those of SparseGPT', () => {
  fc.assert(
    fc.property(layer, single, fc.integer({ min: 1, max: 14 }), ({ weight, x, inputs }, of, blockSize) => {
      const calibration = calibrated(x, inputs, 1);
      const { weight: repaired, mask } = prune.sparsegpt(weight, { ...of, calibration, damp: 0, blockSize });
      for (let r = 0; r < weight.dims[0]; r++) {
        const row = mask.data.subarray(r * inputs, (r + 1) * inputs);
        for (let j = row.lastIndexOf(0) + 1; j < inputs && row.includes(0); j++) {
          let [slope, size] = [0, 0];
          for (let k = 0; k < inputs; k++) {
            const [old, now] = [weight.data[r * inputs + k] as number, repaired.data[r * inputs + k] as number];
            const product = calibration.products?.[k * inputs + j] as number;
            slope += (old - now) * product;
            size += (Math.abs(old) + Math.abs(now)) * Math.abs(product);
          }
          expect(Math.abs(slope)).toBeLessThanOrEqual(1e-6 * size); // what float32 weights leave
        }
      }
    }),
  );
});

test('SparseGPT keeps as many as the scope says, in a block of columns at a time, and zeroes exactly the rest', () => {
  fc.assert(
    fc.property(layer, single, fc.integer({ min: 1, max: 14 }), ({ weight, x, inputs }, of, blockSize) => {
      const calibration = calibrated(x, inputs, 1);
      const { weight: repaired, mask } = prune.sparsegpt(weight, { ...of, calibration, blockSize });
      const width = 'pattern' in of ? inputs : blockSize;
      let want = 0;
      for (let c = 0; c < inputs; c += width) {
        const data = new Float32Array(weight.dims[0] * Math.min(width, inputs - c));
        want += ones(prune.mask({ data, dims: [weight.dims[0], data.length / weight.dims[0]] }, of));
      }
      expect(ones(mask)).toBe(want);
      mask.data.forEach((one, i) => {
        if (one === 0) expect(repaired.data[i]).toBe(0);
      });
    }),
  );
});

test('DSnoT keeps the count of each row and group, changes no weight, and starts from Wanda', () => {
  fc.assert(
    fc.property(layer, swappable, ({ weight, x, inputs }, of) => {
      const calibration = calibrated(x, inputs, 1);
      const start = prune.wanda(weight, { ...of, calibration });
      const { weight: swapped, mask } = prune.dsnot(weight, { ...of, calibration });
      expect(swapped).toEqual(prune.apply(weight, mask));
      expect(prune.dsnot(weight, { ...of, calibration, mask: start.mask })).toEqual({ weight: swapped, mask });
      expect(prune.dsnot(weight, { ...of, calibration, cycles: 0 })).toEqual(start);
      const width = 'pattern' in of ? Number(of.pattern.split(':')[1]) : inputs;
      for (let r = 0; r < weight.dims[0]; r++) {
        for (let c = 0; c < inputs; c += width) {
          const count = ({ data }: prune.Mask) => ones({ data: data.subarray(r * inputs + c, r * inputs + Math.min(c + width, inputs)) });
          expect(count(mask)).toBe(count(start.mask));
        }
      }
    }),
  );
});

test('more cycles of DSnoT never raise the expected error of a row, nor turn its sign', () => {
  fc.assert(
    fc.property(layer, rowScope, fc.constantFrom(0, 1, 2), ({ weight, x, inputs }, of, power) => {
      const calibration = calibrated(x, inputs, 1);
      const errors = (mask: prune.Mask) =>
        Array.from({ length: weight.dims[0] }, (_, r) => {
          let sum = 0;
          for (let j = 0; j < inputs; j++) {
            const i = r * inputs + j;
            if (mask.data[i] === 0) sum += (weight.data[i] as number) * (calibration.sums[j] as number); // whole numbers
          }
          return sum;
        });
      let before = errors(prune.wanda(weight, { ...of, calibration }).mask);
      for (let cycles = 1; cycles < 5; cycles++) {
        const after = errors(prune.dsnot(weight, { ...of, calibration, cycles, power, threshold: 0 }).mask);
        after.forEach((error, r) => {
          expect(Math.abs(error)).toBeLessThanOrEqual(Math.abs(before[r] as number));
          expect(error * (before[r] as number)).toBeGreaterThanOrEqual(0);
        });
        before = after;
      }
    }),
  );
});

test('DSnoT of weights that are scaled by a power of two has the same mask', () => {
  fc.assert(
    fc.property(layer, swappable, power, ({ weight, x, inputs }, of, by) => {
      const options = { ...of, calibration: calibrated(x, inputs, 1), threshold: 0 };
      expect(prune.dsnot(scaled(weight, by), options).mask).toEqual(prune.dsnot(weight, options).mask);
    }),
  );
});
