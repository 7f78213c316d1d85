import { rangeError, typeError } from '../errors.js';
import { describe } from '../validate.js';
import type { ParsedPattern, Sparsity } from './pattern.js';

/** Inputs that share a scale in a weight of 4 bits. */
export type GroupSize = 16 | 32 | 64 | 128;

const groupSizes: readonly number[] = [16, 32, 64, 128];

interface Int4Options extends Sparsity {
  readonly groupSize?: GroupSize | undefined;
  readonly zeroPoint?: boolean | undefined;
}

/** What the addon is told of a weight of 4 bits; of any other, that there are no groups. */
export function int4Settings(o: Int4Options, { m, n }: ParsedPattern, isInt4: boolean): { group: number; zeroPoint: boolean } {
  if (!isInt4) {
    if (o.groupSize === undefined && o.zeroPoint === undefined) return { group: 0, zeroPoint: false };
    throw rangeError('ERR_SK_OPTION', 'expected groupSize and zeroPoint only with dtype int4');
  }
  const group = o.groupSize ?? (m === 0 ? o.block?.[1] : undefined) ?? 32;
  if (!groupSizes.includes(group)) {
    throw rangeError('ERR_SK_OPTION', `expected groupSize to be 16, 32, 64 or 128 but received ${describe(group)}`);
  }
  if (o.zeroPoint !== undefined && typeof o.zeroPoint !== 'boolean') {
    throw typeError('ERR_SK_TYPE', `expected zeroPoint to be a boolean but received ${describe(o.zeroPoint)}`);
  }
  const groupsAreBlocks = o.block?.[0] === 1 && o.block[1] === group;
  const twoOfFour = (n === 2 && m === 4) || (n === 1 && m === 2);
  if (o.venom || (o.rows ?? 1) > 1 || !(groupsAreBlocks || twoOfFour)) {
    const received = o.block ? `a block of ${describe(o.block)}` : describe(o.pattern);
    throw rangeError(
      'ERR_SK_OPTION',
      `expected dtype int4 with pattern '2:4' or '1:2' without rows, or with 'block' of [1, ${group}] (groupSize) but received ${received}`,
    );
  }
  return { group, zeroPoint: o.zeroPoint ?? false };
}

/** What the CUDA kernels of int4 weights leave to the CPU. */
export function int4OnCuda(
  { group }: Pick<ReturnType<typeof int4Settings>, 'group'>,
  { m }: Pick<ParsedPattern, 'm'>,
  int8Activations: boolean,
): void {
  const refuse = (expected: string, received: string) => {
    throw rangeError('ERR_SK_OPTION', `expected ${expected} with dtype int4 on device 'cuda' but received ${received}`);
  };
  if (m === 0) refuse("pattern '2:4' or '1:2'", "'block'");
  if (group < 32) refuse('groupSize 32, 64 or 128', `${group}`);
  if (int8Activations) refuse("activations 'float'", "'int8'");
}
