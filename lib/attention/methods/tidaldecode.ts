import { rangeError, typeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { describe, integer, options } from '../../validate.js';
import { dense } from '../patterns.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import { attend, listPattern } from './common.js';
import { type DecodeOptions, decodeKeys } from './decoding.js';
import type { MethodResult } from './report.js';
import { passedTo, shapeOf } from './shape.js';

/** Options of {@link tidalDecode}. */
export interface TidalDecodeOptions extends DecodeOptions {
  /** Tokens of each head, the newest included. The authors take 128 or 256. */
  readonly tokens: number;
  /** Layers with dense attention; default [0, 1]. */
  readonly denseLayers?: readonly number[];
  /** Layers with dense attention that choose the tokens for the layers after them; default [2]. The authors add 13 for Llama-3-8B, 9 for others. */
  readonly selectionLayers?: readonly number[];
}

/** What {@link tidalDecode} returns. */
export interface TidalDecode {
  /** One layer of one step. Shapes as `DecodeMethod.decode`; the layers of a step come in ascending order. */
  decode(layer: number, q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/**
 * TidalDecode: a few layers attend to everything and choose the best tokens of each head by their scores; the layers between use the same
 * tokens. The newest token is always among them.
 *
 * Yang et al., "TidalDecode: Fast and Accurate LLM Decoding with Position Persistent Sparse Attention" (ICLR 2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: new Float32Array(200 * 16).map(Math.sin), dims: [1, 1, 200, 16] };
 * const q = { data: new Float32Array(2 * 16).fill(1), dims: [1, 2, 1, 16] };
 * const tidal = attention.methods.tidalDecode({ tokens: 16 });
 * for (let layer = 0; layer < 4; layer++) await tidal.decode(layer, q, k, k); // layer 3 attends to 16 tokens
 * ```
 */
export function tidalDecode(tidalOptions: TidalDecodeOptions): TidalDecode {
  const o = options<TidalDecodeOptions>(tidalOptions, 'options', [...decodeKeys, 'tokens', 'denseLayers', 'selectionLayers']);
  const topK = integer(o.tokens, 'tokens', 1, 2 ** 31 - 1);
  const { denseLayers = [0, 1], selectionLayers = [2] } = o;
  for (const [name, layers] of Object.entries({ denseLayers, selectionLayers })) {
    if (!Array.isArray(layers)) throw typeError('ERR_SK_TYPE', `expected ${name} to be a list of layers but received ${describe(layers)}`);
  }
  let chosen: Pattern | undefined;
  return {
    decode: async (layer, q, k, v) => {
      integer(layer, 'layer', 0, 2 ** 31 - 1);
      const s = shapeOf(q, k);
      if (s.queries !== 1) throw rangeError('ERR_SK_SHAPE', `expected q of one token but received dims [${q.dims}]`);
      const rules = { ...o, causal: true };
      const all = () => dense({ queryLength: 1, keyLength: s.keys, blockSize: [1, 64] });
      if (denseLayers.includes(layer)) return attend(q, k, v, all(), rules);
      if (selectionLayers.includes(layer)) {
        const scores = await score(q, k, { scale: 1, ...passedTo(o) });
        const lists = await select(scores, { topK, force: { local: 1 }, ...passedTo(o) });
        chosen = listPattern(s, lists, [1, 64], 'q', s.heads, 'columns');
        return attend(q, k, v, all(), rules);
      }
      if (chosen === undefined) throw rangeError('ERR_SK_OPTION', `expected a selection layer before layer ${layer}`);
      if (chosen.keyLength !== s.keys || chosen.sets !== s.heads) {
        throw rangeError(
          'ERR_SK_SHAPE',
          `expected the ${chosen.keyLength} keys that the selection layer of this step saw but received ${s.keys}`,
        );
      }
      return attend(q, k, v, chosen, rules);
    },
  };
}
