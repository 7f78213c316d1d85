/** Laws of the update rules of training with masks. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { integer, of, reordered, small } from './prune-inputs.js';

const maskOf = (dims: readonly [number, number]) =>
  of(fc.constantFrom(0, 1), ...dims).map((bits): prune.Mask => ({ type: 'uint8', data: Uint8Array.from(bits), dims }));

/** A weight, a gradient and a mask. */
const state = small.chain((weight) =>
  fc.record({
    weight: fc.constant(weight),
    gradient: of(integer, ...weight.dims).map((data) => ({ data, dims: weight.dims })),
    mask: maskOf(weight.dims),
    all: fc.constant<prune.Mask>({ type: 'uint8', data: new Uint8Array(weight.data.length).fill(1), dims: weight.dims }),
  }),
);
const power = fc.integer({ min: -6, max: 0 }).map((exponent) => 2 ** exponent);
type Like = { data: Float32Array; dims: readonly number[] };
const copy = <T extends Like>({ data, dims }: T) => ({ data: data.slice(), dims });
const times = ({ data, dims }: Like, by: number) => ({ data: data.map((value) => value * by + 0), dims }); // + 0: no -0

test('SR-STE without decay, or where all stay, is a plain step down the gradient', () => {
  fc.assert(
    fc.property(state, power, power, ({ weight, gradient, mask, all }, rate, lambda) => {
      const plain = weight.data.map((w, i) => w - rate * (gradient.data[i] as number));
      for (const [which, decay] of [
        [mask, 0],
        [all, lambda],
      ] as const) {
        const stepped = copy(weight);
        prune.srSte({ weight: stepped, gradient, mask: which }, { rate, lambda: decay });
        expect(stepped.data).toEqual(plain);
      }
    }),
  );
});

test('SR-STE without a gradient leaves what stays, and shrinks the rest by the same factor', () => {
  fc.assert(
    fc.property(state, power, power, ({ weight, mask }, rate, lambda) => {
      const stepped = copy(weight);
      prune.srSte({ weight: stepped, gradient: times(weight, 0), mask }, { rate, lambda });
      expect(stepped.data).toEqual(weight.data.map((w, i) => (mask.data[i] === 1 ? w : w * (1 - rate * lambda) + 0)));
    }),
  );
});

test('a divergence of masks is a distance', () => {
  const masks = small.chain(({ dims }) => fc.array(fc.tuple(maskOf(dims), maskOf(dims), maskOf(dims)), { maxLength: 3 }));
  fc.assert(
    fc.property(masks, (layers) => {
      const [a, b, c] = [0, 1, 2].map((i) => layers.map((three) => three[i] as prune.Mask)) as [prune.Mask[], prune.Mask[], prune.Mask[]];
      expect(prune.sad(a, b)).toBe(prune.sad(b, a));
      expect(prune.sad(a, c)).toBeLessThanOrEqual(prune.sad(a, b) + prune.sad(b, c));
      expect(prune.sad(a, b) === 0).toBe(a.every(({ data }, i) => data.every((one, j) => one === b[i]?.data[j])));
      const inverse = a.map((mask) => ({ ...mask, data: mask.data.map((one) => 1 - one) }));
      expect(prune.sad(a, b) + prune.sad(inverse, b)).toBe(a.reduce((sum, { data }) => sum + data.length, 0));
    }),
  );
});

test('soft masks lie between the masked and the dense weight', () => {
  fc.assert(
    fc.property(state, power, ({ weight, mask }, beta) => {
      expect(prune.soften(weight, mask, 1).data).toEqual(weight.data);
      expect(prune.soften(weight, mask, 0).data.map((w) => w + 0)).toEqual(prune.apply(weight, mask).data.map((w) => w + 0));
      const soft = prune.soften(weight, mask, beta);
      expect(soft.data).toEqual(weight.data.map((w, i) => (mask.data[i] === 1 ? w : beta * w)));
      expect(prune.soften(soft, mask, beta)).toEqual(prune.soften(weight, mask, beta ** 2));
    }),
  );
});

/** Four steps of AdamS with the same gradient; the weight and its first moments at the end. */
function trained(
  weight: Like,
  gradient: Like,
  mask: prune.Mask,
  options: Partial<prune.AdamSOptions> = {},
  first = 0,
): [Float32Array, Float32Array] {
  const tensors = { weight: copy(weight), gradient, mask, first: times(weight, 0), second: times(weight, 0) };
  for (let step = first; step < first + 4; step++) prune.adamS(tensors, { steps: 4, rate: 0.25, ...options, step });
  return [tensors.weight.data, tensors.first.data];
}

test('AdamS without momentum, where all stay, moves each weight against its constant gradient at the full rate, whatever the decay', () => {
  fc.assert(
    fc.property(state, power, fc.constantFrom(0, 0.5, 0.999), ({ weight, gradient, all }, lambda, beta) => {
      trained(weight, gradient, all, { lambda, betas: [0, beta] })[0].forEach((w, i) => {
        expect(w).toBeCloseTo((weight.data[i] as number) - Math.sign(gradient.data[i] as number), 3);
      });
    }),
  );
});

test('AdamS at the end of training moves what goes towards 0, whatever its gradient and its size', () => {
  fc.assert(
    fc.property(state, power, fc.constantFrom(1e-8, 1), ({ weight, gradient, mask }, lambda, epsilon) => {
      const [last] = trained(weight, gradient, mask, { lambda, betas: [0, 0], epsilon }, 4);
      last.forEach((w, i) => {
        const old = weight.data[i] as number;
        if (mask.data[i] === 0) expect(w).toBeCloseTo(old - Math.sign(old) * (lambda / (lambda + epsilon)), 3);
      });
    }),
  );
});

test('AdamS moves what stays no farther and no less for the decay of others, which is no part of the first moments', () => {
  fc.assert(
    fc.property(state, power, ({ weight, gradient, mask, all }, lambda) => {
      const [[masked, first], [dense, moments]] = [trained(weight, gradient, mask, { lambda }), trained(weight, gradient, all, { lambda })];
      expect(first).toEqual(moments);
      masked.forEach((w, i) => {
        if (mask.data[i] === 1) expect(w).toBe(dense[i]);
      });
    }),
  );
});

test('AdamS mirrors with its weights and gradients, and treats each weight by itself', () => {
  fc.assert(
    fc.property(state, power, ({ weight, gradient, mask }, lambda) => {
      const [got] = trained(weight, gradient, mask, { lambda });
      expect(trained(times(weight, -1), times(gradient, -1), mask, { lambda })[0]).toEqual(times({ data: got, dims: [] }, -1).data);
      const [out, inputs] = weight.dims;
      const reverse = <T extends Float32Array | Uint8Array>(values: T) => reordered(values, inputs, (r) => out - 1 - r);
      const turned = (tensor: Like) => ({ ...tensor, data: reverse(tensor.data) });
      const [other] = trained(turned(weight), turned(gradient), { ...mask, data: reverse(mask.data) }, { lambda });
      expect(other).toEqual(reverse(got));
    }),
  );
});

/** A weight of which each row has `parts` parts, and their factors. */
const scaling = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }))
  .chain(([out, parts, width]) =>
    fc.record({
      weight: of(integer, out, parts * width).map((data) => ({ data, dims: [out, parts * width] })),
      gradient: of(integer, out, parts * width).map((data) => ({ data, dims: [out, parts * width] })),
      scale: of(fc.integer({ min: -8, max: 8 }), out, parts).map((data) => ({ data, dims: [out, parts] })),
    }),
  );
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);

test('factors of 1 scale nothing, those of two scalings multiply, and what is 0 stays 0', () => {
  fc.assert(
    fc.property(scaling, ({ weight, scale }) => {
      const ones = { ...scale, data: scale.data.map(() => 1) };
      expect(prune.scaleWeight(weight, ones).data).toEqual(weight.data);
      const twice = prune.scaleWeight(prune.scaleWeight(weight, scale), scale);
      expect(twice.data.map((w) => w + 0)).toEqual(
        prune.scaleWeight(weight, { ...scale, data: scale.data.map((a) => a * a) }).data.map((w) => w + 0),
      );
      weight.data.forEach((w, i) => {
        if (w === 0) expect(Math.abs(twice.data[i] as number)).toBe(0);
      });
    }),
  );
});

test('gradients of a scaled weight are the adjoint of scaling in both its arguments', () => {
  fc.assert(
    fc.property(scaling, ({ weight, gradient, scale }) => {
      const gradients = prune.scaleGradients(weight, scale, gradient);
      const scaled = prune.scaleWeight(weight, scale);
      expect(dot(gradients.weight.data, weight.data)).toBe(dot(gradient.data, scaled.data));
      expect(dot(gradients.scale.data, scale.data)).toBe(dot(gradient.data, scaled.data));
      expect(gradients.scale.dims).toEqual(scale.dims);
    }),
  );
});
