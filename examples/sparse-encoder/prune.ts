/**
 * Prunes a whole network in one forward pass of calibration sentences: when the pass reaches a layer, the layer is pruned by the inputs that
 * have just come in, and answers with its pruned weight. So each layer is calibrated on what the pruned layers before it make of the text.
 */
import type { prune } from 'sparse-kernels';
import { encode } from '../sentence-encoder/encoder.js';
import type { LinearLayer, SentenceEncoder } from '../sentence-encoder/model.js';
import { createSessions, onnxLinear } from '../sentence-encoder/onnxruntime.js';
import { type Method, pruneLayer } from './methods.js';

export async function pruneNetwork(
  model: SentenceEncoder,
  sentences: readonly (readonly number[])[],
  method: Method,
  scope: prune.Scope,
  threads: number,
): Promise<LinearLayer[]> {
  const pruned = new Map<string, LinearLayer>();
  await encode(model, sentences, async (name, x) => {
    const layer = model.linears.find((linear) => linear.name === name) as LinearLayer;
    const sparse = pruneLayer(layer, x, method, scope);
    pruned.set(name, sparse);
    return onnxLinear([sparse], await createSessions([sparse], threads))(name, x);
  });
  return model.linears.map(({ name }) => pruned.get(name) as LinearLayer);
}
