import type { Tensor } from 'sparse-kernels';
import { crops } from './crops.js';
import { dense } from './dense.js';
import { load, stepsOf } from './network.js';
import { network, pruned } from './sparse.js';

export interface Outcome {
  readonly sparsity: number;
  /** Share of the weights of the 1x1 layers that is kept. */
  readonly kept: number;
  /** Largest difference between the probabilities that our kernels give and onnxruntime's, of the same pruned network. */
  readonly error: number;
  /** Share of the crops for which the pruned network names the class that the dense one names. */
  readonly agreement: number;
  /** Mean difference of the probability of the first class from the dense network's. */
  readonly shift: number;
}

export interface Report {
  readonly crops: number;
  /** Share of the crops that the dense network calls upright. */
  readonly upright: number;
  readonly outcomes: readonly Outcome[];
}

/** Prunes the 1x1 layers to each sparsity and runs the whole network on photos. */
export async function experiment(sparsities: readonly number[], perPhoto: number, photos?: number): Promise<Report> {
  const model = load();
  const steps = stepsOf(model);
  const images = crops(perPhoto, photos);
  const unpruned = await (await dense(model, steps))(images);
  const outcomes: Outcome[] = [];
  for (const sparsity of sparsities) {
    const { steps: sparse, kept, weights } = pruned(steps, sparsity);
    const ours = await network(sparse)(images);
    const theirs = await (await dense(model, sparse))(images);
    const [mine, reference] = [top1(ours), top1(unpruned)];
    outcomes.push({
      ...{ sparsity, kept: kept / weights },
      error: Math.max(...ours.data.map((p, i) => Math.abs(p - (theirs.data[i] as number)))),
      agreement: mean(mine.map((c, i) => (c === reference[i] ? 1 : 0))),
      shift: mean(mine.map((_, i) => Math.abs((ours.data[2 * i] as number) - (unpruned.data[2 * i] as number)))),
    });
  }
  return { crops: images.dims[0] as number, upright: mean(top1(unpruned).map((c) => (c === 0 ? 1 : 0))), outcomes };
}

function top1({ data, dims }: Tensor): number[] {
  const classes = dims[1] as number;
  return Array.from({ length: dims[0] as number }, (_, n) => {
    const row = data.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
