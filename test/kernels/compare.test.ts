/** The comparator itself: a check that cannot fail would make every parity test worthless. */
import { type KernelInfo, kernels } from 'sparse-kernels';
import { describe, expect, test, vi } from 'vitest';
import type { NativeElements } from '../../types/native.js';
import { dotTolerance, firstMismatch } from '../reference/compare.js';

describe('firstMismatch', () => {
  test('accepts equal and close values', () => {
    expect(firstMismatch([1, 2], [1, 2 + 1e-7], 1e-6)).toBeNull();
    expect(firstMismatch([], [], 0)).toBeNull();
  });
  test.each([
    ['just outside the tolerance', [1.0000011], [1], 1e-6],
    ['NaN instead of a number', [Number.NaN], [1], 1e9],
    ['a number instead of NaN', [1], [Number.NaN], 1e9],
    ['infinity instead of a number', [Number.POSITIVE_INFINITY], [1], 1e9],
    ['the wrong infinity', [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY], 1e9],
    ['a missing element', [1], [1, 2], 1e9],
    ['one element too many', [1, 2], [1], 1e9],
    ['any difference at tolerance 0', [1 + 2 ** -52], [1], 0],
  ])('rejects %s', (_, actual, expected, tolerance) => {
    expect(firstMismatch(actual, expected, tolerance)).not.toBeNull();
  });
  test('names the element', () => {
    expect(firstMismatch([0, 5], [0, 6], 0.5)).toEqual({ index: 1, actual: 5, expected: 6, tolerance: 0.5 });
  });
});

test('the tolerance of a dot product stays far below one unit of the result', () => {
  expect(dotTolerance(4096, 1, 1, 1)).toBeLessThan(1e-3);
});

test('a deliberately wrong kernel is caught', async () => {
  vi.resetModules();
  vi.doMock('../../lib/native.js', async (original) => {
    const real = await original<typeof import('../../lib/native.js')>();
    const WrongPlan = class extends real.native.SpmmPlan {
      override runSync(x: NativeElements, xType: number, tokens: number, y: NativeElements, yType: number): void {
        super.runSync(x, xType, tokens, y, yType);
        if (y.length > 0) y[y.length - 1] = (y[y.length - 1] as number) + 2 ** -10; // one element, slightly off
      }
    };
    return { ...real, native: Object.create(real.native, { SpmmPlan: { value: WrongPlan } }) };
  });
  const { compareWithOracle } = await import('./nm-parity.js');
  const row = kernels().find((k): k is KernelInfo => k.verb === 'spmm' && k.supported && /^[2N]:4$/.test(k.pattern));
  if (!row) throw new Error('no kernel for 2:4');
  const c = { name: 'wrong', tokens: 5, inputs: 64, outputs: 40 };
  for (const pass of ['exact integers', 'random'] as const) {
    expect(compareWithOracle(c, 2, 4, row, pass)).toMatchObject({ index: 5 * 40 - 1 });
  }
  vi.doUnmock('../../lib/native.js');
});
