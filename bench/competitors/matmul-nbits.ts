import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { FOUR_BIT_GROUP } from '../four-bits.js';
import { contributed, type DensePeer, sessionOptions, valueInfo, version } from './onnxruntime.js';

const { onnx } = onnxProto;
const { FLOAT, UINT8 } = onnx.TensorProto.DataType;
const { INT } = onnx.AttributeProto.AttributeType;

export interface FourBitLayer {
  readonly x: Float32Array;
  /** [out, in] of -8 .. 7. */
  readonly steps: Int8Array;
  /** [out, groups] */
  readonly scale: Float32Array;
  readonly tokens: number;
  readonly in: number;
  readonly out: number;
  readonly threads: number;
  /** Each run takes the next of so many copies of the weight. */
  readonly copies: number;
}

/**
 * One MatMulNBits of 4 bits. Its weight is an initializer, which onnxruntime packs for its kernel, so that each copy has a session of its
 * own. Of the accuracy levels 0 (sums of float32) and 4 (x is quantised to int8 for each block of inputs) the one that is faster here.
 */
export async function matMulNBits(layer: FourBitLayer): Promise<DensePeer> {
  const y = new ort.Tensor('float32', new Float32Array(layer.tokens * layer.out), [layer.tokens, layer.out]);
  const x = new ort.Tensor('float32', layer.x, [layer.tokens, layer.in]);
  const initializer = packed(layer);
  const create = (level: number) => ort.InferenceSession.create(model(layer, initializer, level), sessionOptions(layer.threads));
  const contest = [];
  for (const level of [0, 4]) {
    const session = await create(level);
    contest.push({ level, session, ms: await fastest(() => session.run({ x }, { y })) });
  }
  const [{ level, session }, other] = contest.sort((a, b) => a.ms - b.ms) as [(typeof contest)[0], (typeof contest)[0]];
  await other.session.release();
  const sessions = [session];
  while (sessions.length < layer.copies) sessions.push(await create(level));
  let turn = 0;
  return {
    name: `onnxruntime-node ${version()} (MatMulNBits, accuracy level ${level})`,
    run: async () => {
      await sessions[turn++ % sessions.length]?.run({ x }, { y });
      return y.data as Float32Array;
    },
  };
}

/** Milliseconds of the fastest of a few calls. */
async function fastest(run: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

/** B [out, groups, bytes of a group], the first of two weights in the low bits; a pruned weight is the zero point, 8. */
function packed({ steps, scale, in: inputs, out }: FourBitLayer) {
  const groups = Math.ceil(inputs / FOUR_BIT_GROUP);
  const bytes = new Uint8Array((out * groups * FOUR_BIT_GROUP) / 2).fill(0x88);
  for (let i = 0; i < steps.length; i++) {
    const nibble = Math.floor(i / inputs) * groups * FOUR_BIT_GROUP + (i % inputs);
    const shift = (nibble % 2) * 4;
    const byte = nibble >> 1;
    bytes[byte] = ((bytes[byte] as number) & ~(15 << shift)) | (((steps[i] as number) + 8) << shift);
  }
  const scales = new Uint8Array(scale.buffer, scale.byteOffset, scale.byteLength);
  return [
    { name: 'w', dataType: UINT8, dims: [out, groups, FOUR_BIT_GROUP / 2], rawData: bytes },
    { name: 'scale', dataType: FLOAT, dims: [out * groups], rawData: scales },
  ];
}

function model({ tokens, in: inputs, out }: FourBitLayer, initializer: ReturnType<typeof packed>, level: number) {
  const attributes = { K: inputs, N: out, bits: 4, block_size: FOUR_BIT_GROUP, accuracy_level: level };
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: contributed,
    graph: {
      name: 'dense',
      node: [
        {
          opType: 'MatMulNBits',
          domain: 'com.microsoft',
          input: ['x', 'w', 'scale'],
          output: ['y'],
          attribute: Object.entries(attributes).map(([name, i]) => ({ name, type: INT, i })),
        },
      ],
      initializer,
      input: [valueInfo('x', [tokens, inputs])],
      output: [valueInfo('y', [tokens, out])],
    },
  }).finish();
}
