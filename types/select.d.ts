/** The verb select, part of the contract of the raw addon. */
import type { NativeCancelToken } from './cancel.js';

/** Where a selection writes: `masked` (weight where kept, else 0) or `mask` (1 where kept, else 0), as large as the scores. */
export interface NativeMaskOutput {
  weight?: Float32Array | undefined;
  masked?: Float32Array | undefined;
  mask?: Uint8Array | undefined;
}

export interface NativeSelectGroupsOptions extends NativeMaskOutput {
  /** [rows, columns] */
  scores: Float32Array;
  rows: number;
  columns: number;
  n: number;
  m: number;
  /** Compare absolute values. */
  magnitude: boolean;
  isa: string;
  threads: number;
}

/** native/select/select.h says what each means; either index, count and capacity are given or masked or mask. */
export interface NativeSelectRowsOptions extends NativeMaskOutput {
  /** [rows, columns] */
  scores: Float32Array;
  rows: number;
  columns: number;
  /** enum Rule. */
  rule: number;
  /** [rows], for the rule top-k. */
  k?: Int32Array | undefined;
  /** [rows], for the other rules. */
  amount?: Float32Array | undefined;
  /** [rows] */
  limit?: Int32Array | undefined;
  first: number;
  sink: number;
  local: number;
  least: number;
  most: number;
  /** enum Crossing. */
  crossing: number;
  relative: boolean;
  needsReach: boolean;
  strict: boolean;
  magnitude: boolean;
  /** [rows, capacity] */
  index?: Int32Array | undefined;
  /** [rows] */
  count?: Int32Array | undefined;
  capacity?: number | undefined;
  isa: string;
  threads: number;
}

export interface NativeSelect {
  selectGroups(options: NativeSelectGroupsOptions): void;
  /** JavaScript must not have seen the buffers of the outputs. */
  selectRows(options: NativeSelectRowsOptions, cancel: NativeCancelToken | undefined): Promise<void>;
  selectRowsSync(options: NativeSelectRowsOptions): void;
}
