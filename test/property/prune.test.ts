/** Laws of pruning for every matrix and scope. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { exact, LARGEST, matrix, pattern, reordered, scope, seed, single, sparsity, transposed } from './prune-inputs.js';

test('what stays is the old weight, the rest is zero, and the matrix given is left alone', () => {
  fc.assert(
    fc.property(matrix, scope, (weight, of) => {
      const before = weight.data.slice();
      const { weight: after, mask } = prune.magnitude(weight, of);
      expect(weight.data).toEqual(before);
      after.data.forEach((value, i) => {
        if (!Object.is(value, mask.data[i] === 1 ? before[i] : 0)) throw new Error(`element ${i} is ${value}`);
      });
      expect(prune.apply(weight, mask)).toEqual(after);
    }),
  );
});

test('as many stay as the scope says', () => {
  fc.assert(
    fc.property(matrix, scope, ({ data, dims }, of) => {
      const [out, inputs] = dims;
      const { data: kept } = prune.mask({ data, dims }, of);
      const count = (places: number[]) => places.reduce((sum, i) => sum + (kept[i] as number), 0);
      if ('sparsity' in of) {
        if (of.block) return;
        const row = (r: number) => Array.from({ length: inputs }, (_, c) => r * inputs + c);
        const sets = of.scope === 'global' ? [[...kept.keys()]] : Array.from({ length: out }, (_, r) => row(r));
        for (const set of sets) expect(count(set)).toBe(set.length - Math.floor(set.length * of.sparsity));
        return;
      }
      const [n, m] = of.pattern.split(':').map(Number) as [number, number];
      for (let r = 0; r < out; r++) {
        for (let c = 0; c < inputs; c += m) {
          const length = Math.min(m, inputs - c);
          const stay = count(Array.from({ length }, (_, i) => r * inputs + c + i));
          if (of.scope === 'transposable') expect(stay).toBeLessThanOrEqual(n);
          else expect(stay).toBe(Math.min(n, length));
        }
      }
    }),
  );
});

/** Of each set of competitors the places; none where whole blocks or bands compete. */
function competitors([out, inputs]: readonly [number, number], of: prune.Scope): number[][] {
  if (of.scope === 'global') return [Array.from({ length: out * inputs }, (_, i) => i)];
  const width = 'pattern' in of ? Number(of.pattern.split(':')[1]) : inputs;
  return Array.from({ length: out }, (_, r) => r * inputs).flatMap((row) =>
    Array.from({ length: Math.ceil(inputs / width) }, (_, g) =>
      Array.from({ length: Math.min(width, inputs - g * width) }, (_, c) => row + g * width + c),
    ),
  );
}

test('no score goes while a lower one stays, NaN and -Infinity being as low as numbers get, and among equals the first stay', () => {
  fc.assert(
    fc.property(matrix, single, ({ data, dims }, of) => {
      const { data: kept } = prune.mask({ data, dims }, of);
      const rank = (i: number) => ((data[i] as number) >= -LARGEST ? (data[i] as number) : -LARGEST);
      for (const set of competitors(dims, of)) {
        const worst = set.filter((i) => kept[i] === 1).reduce((a, b) => (rank(b) <= rank(a) ? b : a));
        for (const gone of set.filter((i) => kept[i] === 0)) {
          if (rank(gone) > rank(worst) || (rank(gone) === rank(worst) && gone < worst))
            throw new Error(`${data[gone]} went, ${data[worst]} stayed`);
        }
      }
    }),
  );
});

test('a pruned weight stays as it is when it is pruned again', () => {
  fc.assert(
    fc.property(exact, scope, (weight, of) => {
      const { weight: once, mask } = prune.magnitude(weight, of);
      const again = prune.magnitude(once, of);
      expect(again.weight).toEqual(once);
      if (of.scope !== 'venom') expect(again.mask).toEqual(mask); // its columns of a band may be others where nothing of them stayed
    }),
  );
});

test('a sign changes no mask of magnitudes', () => {
  fc.assert(
    fc.property(matrix, scope, ({ data, dims }, of) => {
      expect(prune.magnitude({ data: data.map((value) => -value), dims }, of).mask).toEqual(prune.magnitude({ data, dims }, of).mask);
    }),
  );
});

test('blocks stay or go as one, as many as the sparsity says, and none while a lesser one stays', () => {
  const blocks = scope.filter((of) => 'block' in of);
  fc.assert(
    fc.property(exact, blocks, ({ data, dims: [out, inputs] }, of) => {
      if (!('sparsity' in of) || of.block === undefined) throw new Error('no blocks');
      const [height, width] = of.block;
      const { data: kept } = prune.mask({ data, dims: [out, inputs] }, of);
      const [down, across] = [Math.ceil(out / height), Math.ceil(inputs / width)];
      const found = Array.from({ length: down * across }, () => ({ sum: 0, stays: new Set<number>() }));
      data.forEach((value, i) => {
        const block = found[Math.floor(Math.floor(i / inputs) / height) * across + Math.floor((i % inputs) / width)];
        if (!block) throw new Error('no such block');
        block.sum += value;
        block.stays.add(kept[i] as number);
      });
      for (const { stays } of found) expect(stays.size).toBe(1);
      const sets = of.scope === 'global' ? [found] : Array.from({ length: down }, (_, b) => found.slice(b * across, (b + 1) * across));
      for (const set of sets) {
        const [stay, go] = [1, 0].map((one) => set.filter(({ stays }) => stays.has(one)).map(({ sum }) => sum)) as [number[], number[]];
        expect(go.length).toBe(Math.floor(set.length * of.sparsity));
        expect(Math.min(...stay)).toBeGreaterThanOrEqual(Math.max(-Infinity, ...go));
      }
    }),
  );
});

test('a band of rows shares its columns: N of every M, or four of which each row keeps N', () => {
  const bands = scope.filter((of) => 'rows' in of);
  fc.assert(
    fc.property(exact, bands, ({ data, dims: [out, inputs] }, of) => {
      if (!('rows' in of) || of.rows === undefined) throw new Error('no bands');
      const [n, m] = of.pattern.split(':').map(Number) as [number, number];
      const { data: kept } = prune.mask({ data, dims: [out, inputs] }, of);
      for (let first = 0; first < out; first += of.rows) {
        const band = Array.from({ length: Math.min(of.rows, out - first) }, (_, r) =>
          kept.subarray((first + r) * inputs, (first + r + 1) * inputs),
        );
        for (let c = 0; c < inputs; c += m) {
          const used = Array.from({ length: Math.min(m, inputs - c) }, (_, j) => band.some((row) => row[c + j] === 1)).filter(
            Boolean,
          ).length;
          expect(used).toBeLessThanOrEqual(of.scope === 'venom' ? 4 : n);
        }
      }
    }),
  );
});

test('a transposable mask has N of 4 along both axes of every whole tile, and no more in one at the edge', () => {
  const tiles = scope.filter((of) => of.scope === 'transposable');
  fc.assert(
    fc.property(matrix, tiles, ({ data, dims: [out, inputs] }, of) => {
      const n = 'pattern' in of ? Number(of.pattern[0]) : 0;
      const { data: kept } = prune.mask({ data, dims: [out, inputs] }, of);
      const counts = (mask: Uint8Array, height: number, width: number) => {
        for (let r = 0; r < height; r++) {
          for (let c = 0; c < width; c += 4) {
            const count = mask.subarray(r * width + c, r * width + Math.min(c + 4, width)).reduce((sum, one) => sum + one, 0);
            const whole = c + 4 <= width && Math.floor(r / 4) * 4 + 4 <= height;
            if (whole ? count !== n : count > n) throw new Error(`${count} in row ${r} at ${c}`);
          }
        }
      };
      counts(kept, out, inputs);
      counts(transposed(kept, [out, inputs]), inputs, out);
    }),
  );
});

test('essential is the global mask of all layers as one', () => {
  fc.assert(
    fc.property(fc.array(matrix, { maxLength: 4 }), sparsity, (layers, share) => {
      const all = Float32Array.from(layers.flatMap(({ data }) => [...data]));
      const parts = prune.essential(layers, { sparsity: share });
      const want = prune.magnitude({ data: all, dims: [1, all.length] }, { scope: 'global', sparsity: share });
      expect(parts.flatMap(({ mask }) => [...mask.data])).toEqual([...want.mask.data]);
      expect(parts.map(({ weight }) => weight.dims)).toEqual(layers.map(({ dims }) => dims));
      expect(parts.flatMap(({ weight }) => [...weight.data])).toEqual([...want.weight.data]);
    }),
  );
});

test('random masks depend on seed and scope alone, and prefer no place', () => {
  fc.assert(
    fc.property(matrix, scope, seed, ({ data, dims }, of, seed) => {
      const { mask } = prune.random({ data, dims }, { ...of, seed });
      expect(prune.random({ data: new Float32Array(data.length), dims }, { ...of, seed }).mask).toEqual(mask);
    }),
  );
  const kept = new Float64Array(64);
  for (let seed = 0; seed < 2000; seed++) {
    const { mask } = prune.random({ data: new Float32Array(64), dims: [8, 8] }, { scope: 'row', sparsity: 0.75, seed });
    mask.data.forEach((one, i) => {
      kept[i] = (kept[i] as number) + one;
    });
  }
  for (const count of kept) expect(Math.abs(count - 500)).toBeLessThan(5 * Math.sqrt(2000 * 0.25 * 0.75)); // five deviations
});

test('BDWP is N:M of the weight and of its transpose', () => {
  fc.assert(
    fc.property(matrix, pattern, ({ data, dims: [out, inputs] }, pattern) => {
      const { forward, backward } = prune.bdwp({ data, dims: [out, inputs] }, { pattern });
      const of = { scope: 'nm', pattern } as const;
      expect(forward).toEqual(prune.magnitude({ data, dims: [out, inputs] }, of).mask);
      const turned = prune.magnitude({ data: transposed(data, [out, inputs]), dims: [inputs, out] }, of).mask;
      expect(backward.data).toEqual(transposed(turned.data, [inputs, out]));
      expect(backward.dims).toEqual([out, inputs]);
    }),
  );
});

test('scaling by a positive number changes no mask', () => {
  fc.assert(
    fc.property(exact, scope, fc.integer({ min: -8, max: 8 }), ({ data, dims }, of, power) => {
      const scaled = { data: data.map((value) => value * 2 ** power), dims };
      expect(prune.mask(scaled, of)).toEqual(prune.mask({ data, dims }, of));
    }),
  );
});

test('rows that share nothing can be reversed', () => {
  const alone = single.filter((of) => of.scope !== 'global');
  fc.assert(
    fc.property(matrix, alone, ({ data, dims }, of) => {
      const [out, inputs] = dims;
      const reverse = <T extends Float32Array | Uint8Array>(values: T) => reordered(values, inputs, (r) => out - 1 - r);
      const { data: kept } = prune.mask({ data, dims }, of);
      expect(prune.mask({ data: reverse(data), dims }, of).data).toEqual(reverse(kept));
    }),
  );
});

test('a transposable mask of the transpose is as good', () => {
  const of = { scope: 'transposable', pattern: '2:4' } as const;
  fc.assert(
    fc.property(exact, ({ data, dims: [out, inputs] }) => {
      const sum = (values: Float32Array, dims: readonly number[]) =>
        prune.mask({ data: values, dims }, of).data.reduce((total, one, i) => total + one * (values[i] as number), 0);
      expect(sum(transposed(data, [out, inputs]), [inputs, out])).toBe(sum(data, [out, inputs]));
    }),
  );
});
