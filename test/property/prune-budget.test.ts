/** Laws of budgets and schedules. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { pattern, sparsity } from './prune-inputs.js';

const size = fc.integer({ min: 1, max: 5000 });
const layer = fc.oneof(fc.tuple(size, size), fc.tuple(size, size, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 })));
const layers = fc.array(layer, { minLength: 1, maxLength: 8 });
const method = fc.constantFrom('uniform' as const, 'er' as const, 'erk' as const);
const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
const raw = (dims: readonly number[]) => dims.reduce((a, b) => a + b, 0) / product(dims);
const step = fc.nat(1e6);

test('budgets add up, and no layer is empty or more than dense', () => {
  fc.assert(
    fc.property(layers, sparsity, method, (layers, sparsity, method) => {
      const shares = prune.budget(layers, { sparsity, method });
      for (const share of shares) if (!(share >= 0 && share < 1)) throw new Error(`a sparsity of ${share}`);
      const all = layers.reduce((sum, dims) => sum + product(dims), 0);
      const kept = layers.reduce((sum, dims, i) => sum + product(dims) * (1 - (shares[i] as number)), 0);
      expect(Math.abs(kept - all * (1 - sparsity))).toBeLessThanOrEqual(1e-9 * all);
    }),
  );
});

test('densities are in the ratio of the rule where no layer is dense, and what is dense would have had more', () => {
  fc.assert(
    fc.property(layers, sparsity, fc.constantFrom('er' as const, 'erk' as const), (layers, sparsity, method) => {
      const shares = prune.budget(layers, { sparsity, method });
      const scales = layers.map((dims, i) => (1 - (shares[i] as number)) / raw(method === 'er' ? dims.slice(0, 2) : dims));
      const dense = (i: number) => (shares[i] as number) < 1e-12;
      const scale = Math.max(...scales.filter((_, i) => !dense(i)));
      scales.forEach((own, i) => {
        if (!dense(i)) expect(own / scale).toBeCloseTo(1, 9);
        else if (sparsity > 0) expect(own).toBeLessThanOrEqual(scale * (1 + 1e-9));
      });
    }),
  );
});

test('budgets follow layers into any order, and are those of the sparsity alone for one layer or several alike', () => {
  fc.assert(
    fc.property(layers, sparsity, method, fc.integer({ min: 1, max: 5 }), (layers, sparsity, method, times) => {
      const shares = prune.budget(layers, { sparsity, method });
      const reversed = prune.budget([...layers].reverse(), { sparsity, method }).reverse();
      shares.forEach((share, i) => {
        expect(reversed[i]).toBeCloseTo(share, 9);
      });
      const alike = prune.budget(new Array(times).fill(layers[0]), { sparsity, method });
      for (const share of alike) expect(share).toBeCloseTo(sparsity, 9);
    }),
  );
});

test('a larger sparsity makes no layer denser', () => {
  fc.assert(
    fc.property(layers, sparsity, sparsity, method, (layers, a, b, method) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)].map((sparsity) => prune.budget(layers, { sparsity, method })) as [
        number[],
        number[],
      ];
      less.forEach((share, i) => {
        expect(more[i] as number).toBeGreaterThanOrEqual(share - 1e-9);
      });
    }),
  );
});

const schedule = fc.record({
  final: sparsity,
  initial: sparsity,
  begin: fc.nat(1e5),
  length: fc.integer({ min: 1, max: 1e6 }),
  every: fc.integer({ min: 1, max: 1000 }),
});

test('the cubic schedule begins and ends where it should, exactly, and never turns', () => {
  fc.assert(
    fc.property(schedule, step, step, ({ length, ...s }, a, b) => {
      const at = (now: number) => prune.cubicSparsity(now, { ...s, end: s.begin + length });
      expect(at(Math.min(a, s.begin))).toBe(s.initial);
      expect(at(s.begin + length + a)).toBe(s.final);
      const [first, second] = [at(Math.min(a, b)), at(Math.max(a, b))];
      const direction = Math.sign(s.final - s.initial);
      expect(direction * (second - first)).toBeGreaterThanOrEqual(0);
      for (const share of [first, second]) {
        expect(share).toBeGreaterThanOrEqual(Math.min(s.initial, s.final) - 1e-15);
        expect(share).toBeLessThanOrEqual(Math.max(s.initial, s.final) + 1e-15);
      }
    }),
  );
});

test('the cubic schedule changes at its steps only, and does most at first', () => {
  fc.assert(
    fc.property(schedule, step, ({ length, ...s }, a) => {
      const end = s.begin + length;
      const at = (now: number) => prune.cubicSparsity(now, { ...s, end });
      const offset = a % length;
      const snapped = offset - (offset % s.every);
      expect(at(s.begin + offset)).toBe(at(s.begin + snapped));
      const whole = { ...s, every: 1, end };
      const [start, middle] = [s.begin, s.begin + Math.floor(length / 2)].map((now) => prune.cubicSparsity(now, whole)) as [number, number];
      if (length % 2 === 0) expect(middle - start).toBeCloseTo((7 / 8) * (s.final - s.initial), 12);
    }),
  );
});

test('beta of mask decay falls from 1 to 0 and ends at 0, and what it softens lies between masked and dense', () => {
  const options = fc.record({
    shape: fc.constantFrom('linear' as const, 'exponential' as const),
    coefficient: sparsity,
    begin: fc.nat(1e5),
  });
  fc.assert(
    fc.property(options, fc.nat(1e5), step, step, (o, length, a, b) => {
      const end = o.begin + length;
      const at = (now: number) => prune.mdgfBeta(now, { ...o, end });
      const [first, second] = [at(Math.min(a, b)), at(Math.max(a, b))];
      expect(first).toBeGreaterThanOrEqual(second);
      for (const beta of [first, second]) if (!(beta >= 0 && beta <= 1)) throw new Error(`beta ${beta}`);
      if (length > 0) expect(at(Math.min(a, o.begin))).toBe(1);
      expect(at(end + a)).toBe(0);
      const [x, y] = [a % 1000, b % 1000];
      const free = (now: number) => prune.mdgfBeta(o.begin + now, o);
      if (o.shape === 'exponential') expect(free(x) * free(y)).toBeCloseTo(free(x + y), 12);
      else expect(free(x)).toBeCloseTo(Math.max(0, 1 - o.coefficient * x), 12);
    }),
  );
});

test('structure decay passes from dense through ever sparser patterns in frames of equal length to its own', () => {
  fc.assert(
    fc.property(pattern, fc.nat(1000), fc.integer({ min: 1, max: 400 }), (pattern, begin, length) => {
      const [n, m] = pattern.split(':').map(Number) as [number, number];
      const at = (step: number) => prune.sdgfPattern(step, { pattern, begin, end: begin + length });
      const kept = (step: number) => Number(at(step)?.split(':')[0] ?? m);
      if (begin > 0) expect(at(begin - 1)).toBeUndefined();
      expect(at(begin + length)).toBe(pattern);
      expect(kept(begin)).toBe(m - 1);
      const frames = Math.max(1, Math.floor(Math.log2(m / n)));
      let held = 0;
      for (let step = begin; step < begin + length; step++) {
        expect(at(step)).toBe(`${kept(step)}:${m}`);
        expect(kept(step)).toBeGreaterThanOrEqual(n);
        if (kept(step + 1) > kept(step)) throw new Error(`${at(step)}, then ${at(step + 1)}`);
        held++;
        if (kept(step + 1) === kept(step)) continue;
        expect(Math.abs(held - length / frames)).toBeLessThan(1); // frames are of equal length
        if (step + 1 < begin + length) expect(kept(step + 1)).toBe(Math.floor(m / 2 ** Math.floor(((step + 1 - begin) * frames) / length)));
        held = 0;
      }
    }),
  );
});
