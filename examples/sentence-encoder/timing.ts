/** Sparse and dense product of every layer, timed in interleaved pairs so that both see the same state of the machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { InferenceSession } from 'onnxruntime-node';
import { median } from 'simple-statistics';
import type { Linear } from './encoder.js';
import type { LayerName } from './model.js';
import { matmul, type Sessions } from './onnxruntime.js';
import type { Plans } from './sparse.js';

export interface LayerTiming {
  readonly layer: LayerName;
  readonly rows: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly sparseMs: number;
  readonly denseMs: number;
}

export type Inputs = ReadonlyMap<LayerName, Float32Array>;

/** Keeps the input of each layer during a forward pass: the products are timed on real activations. */
export function recording(linear: Linear): { readonly linear: Linear; readonly inputs: Inputs } {
  const inputs = new Map<LayerName, Float32Array>();
  return {
    inputs,
    linear: (layer, x) => {
      inputs.set(layer, x);
      return linear(layer, x);
    },
  };
}

const PAIRS = 5;
const PAUSE_MS = 20; // idle onnxruntime workers go on spinning for some milliseconds and would slow down the plans

/** The plans also add the bias and apply ReLU; onnxruntime multiplies only. */
export async function timeLayers(plans: Plans, sessions: Sessions, inputs: Inputs): Promise<LayerTiming[]> {
  const timings: LayerTiming[] = [];
  for (const [layer, plan] of plans) {
    const { inFeatures, outFeatures } = plan;
    const data = inputs.get(layer) as Float32Array;
    const session = sessions.get(layer) as InferenceSession;
    const rows = data.length / inFeatures;
    const out = new Float32Array(rows * outFeatures);
    const x = { type: 'float32', data, dims: [rows, inFeatures] };
    const pair = await timePairs(
      () => plan.run(x, { out }),
      () => matmul(session, data, out, rows),
    );
    timings.push({ layer, rows, inFeatures, outFeatures, sparseMs: pair[0], denseMs: pair[1] });
  }
  return timings;
}

/** Median milliseconds of each; they take turns at going first, and the first pair only warms up. */
export async function timePairs(a: () => Promise<unknown>, b: () => Promise<unknown>, pairs = PAIRS): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let pair = 0; pair <= pairs; pair++) {
    for (const side of pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      await sleep(PAUSE_MS);
      const start = performance.now();
      await (side === 0 ? a() : b());
      if (pair > 0) times[side].push(performance.now() - start);
    }
  }
  return [median(times[0]), median(times[1])];
}
