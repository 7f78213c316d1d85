/** The reference: onnxruntime runs the same network, with the weights of its 1x1 layers replaced. */
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import type { Tensor } from 'sparse-kernels';
import { isPointwise, type Model, type Step, stepsOf, type Weight } from './network.js';

const { onnx } = onnxProto;

export async function dense(model: Model, steps: readonly Step[]): Promise<(images: Tensor) => Promise<Tensor>> {
  const replaced = onnx.ModelProto.decode(onnx.ModelProto.encode(model).finish()) as Model;
  const names = stepsOf(replaced); // in the order of `steps`
  const nodes = (replaced.graph?.node ?? []).filter(({ opType }) => opType === 'Conv');
  const convolutions = names.filter(({ op }) => op === 'Conv');
  const weights = steps.filter(({ op }) => op === 'Conv').map(({ inputs }) => inputs[1] as Weight);
  for (const [i, step] of convolutions.entries()) {
    if (!isPointwise(step)) continue;
    const name = nodes[i]?.input?.[1] ?? '';
    const holder =
      replaced.graph?.initializer?.find((tensor) => tensor.name === name) ??
      replaced.graph?.node?.find((node) => node.output?.[0] === name)?.attribute?.find((a) => a.name === 'value')?.t;
    if (!holder) throw new Error(`the model has no weight ${name}`);
    holder.rawData = new Uint8Array((weights[i] as Weight).data.slice().buffer);
    holder.floatData = [];
  }
  const session = await ort.InferenceSession.create(onnx.ModelProto.encode(replaced).finish());
  return async ({ data, dims }) => {
    const outputs = await session.run({ x: new ort.Tensor('float32', data, dims) });
    const y = outputs[session.outputNames[0] as string] as ort.Tensor;
    return { type: 'float32', data: y.data as Float32Array, dims: y.dims };
  };
}
