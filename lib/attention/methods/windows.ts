/** Compressed keys are windows of tokens that overlap: which of them a query sees, and how their scores become scores of blocks. */
import type { Shape } from '../heads.js';

/** Windows of `length` tokens, one every `stride`; blocks of `block` tokens. */
export interface Windows {
  readonly length: number;
  readonly stride: number;
  readonly block: number;
}

export const positionsOf = (s: Shape) => Int32Array.from({ length: s.queries }, (_, i) => i + s.keys - s.queries);

/** How many windows end at or before each query. */
export function windowLimits(s: Shape, w: Windows, windows: number): Int32Array {
  return positionsOf(s).map((p) => Math.min(windows, Math.max(0, Math.floor((p - w.length + 1) / w.stride) + 1)));
}

/** How many blocks begin at or before each query. */
export const blocksSeen = (s: Shape, w: Windows) => positionsOf(s).map((p) => Math.max(0, Math.floor(p / w.block) + 1));

/** The windows that overlap a block, as columns of their scores: block b begins at window b block / stride - left. */
export const overlapping = (w: Windows) => ({
  stride: w.block / w.stride,
  left: w.length / w.stride - 1,
  size: (w.block + w.length) / w.stride - 1,
});
