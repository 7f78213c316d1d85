/** Packed weights among the tensors of a file: which tensors are their parts, and the JSON that says so. */
import { rangeError, SparseKernelsError } from '../errors.js';
import { describe } from '../validate.js';
import { checkPacked } from './packed.js';
import { checkFormat, type PackedTensor, type PackFormat, partNames } from './packed-format.js';
import { damaged, type FileTensor } from './tensor.js';

export const METADATA_KEY = 'sparse-kernels';
const VERSION = 1;

/** All tensors of a file, packed ones as their parts, and the JSON that says which parts belong together. */
export function partsOf(tensors: readonly (readonly [string, FileTensor | PackedTensor])[]): {
  parts: Map<string, FileTensor>;
  described: string | undefined;
} {
  const parts = new Map<string, FileTensor>();
  const descriptions: [string, object][] = [];
  const add = (name: string, part: FileTensor) => {
    if (parts.has(name) || name === '__metadata__')
      throw rangeError('ERR_SK_OPTION', `expected names to be unique but received ${describe(name)} twice`);
    parts.set(name, part);
  };
  for (const [name, tensor] of tensors) {
    if (!isPacked(tensor)) {
      add(name, tensor);
      continue;
    }
    const checked = checkPacked(tensor, name);
    for (const [part, value] of Object.entries(checked.parts)) add(`${name}.${part}`, value);
    descriptions.push([name, { ...checked.format, dtype: checked.parts.values?.type, dims: checked.dims }]);
  }
  const described = descriptions.length ? JSON.stringify({ version: VERSION, tensors: Object.fromEntries(descriptions) }) : undefined;
  return { parts, described };
}

/** The tensors of a file, the parts of packed ones put together again. */
export function fromParts(dense: ReadonlyMap<string, FileTensor>, described: string | undefined): Map<string, FileTensor | PackedTensor> {
  const tensors = new Map<string, FileTensor | PackedTensor>(dense);
  if (described === undefined) return tensors;
  let description: { version?: unknown; tensors?: unknown };
  try {
    description = JSON.parse(described) ?? {};
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_FILE', `expected the metadata ${METADATA_KEY} to be JSON`, { cause });
  }
  if (description.version !== VERSION) {
    const got = describe(description.version);
    throw new SparseKernelsError(
      'ERR_SK_VERSION',
      `expected packed tensors of version ${VERSION} but the file has ${got}: update sparse-kernels`,
    );
  }
  for (const [name, value] of Object.entries((description.tensors ?? {}) as object)) {
    const { dims, dtype, ...rest } = (value ?? {}) as Record<string, unknown>;
    const format = formatOf(name, rest);
    const parts: Record<string, FileTensor> = {};
    for (const part of partNames(format)) {
      const found = tensors.get(`${name}.${part}`);
      if (found === undefined || isPacked(found))
        throw damaged(`expected the packed tensor ${describe(name)} to have a tensor ${name}.${part}`);
      parts[part] = found;
      tensors.delete(`${name}.${part}`);
    }
    if (parts.values?.type !== dtype)
      throw damaged(`expected ${name}.values to be ${describe(dtype)} but the file has ${parts.values?.type}`);
    if (tensors.has(name)) throw damaged(`expected the packed tensor ${describe(name)} not to be there a second time`);
    const checked = checkPacked({ format, dims: dims as [number, number], parts }, name);
    tensors.set(name, { format: checked.format, dims: checked.dims, parts: checked.parts });
  }
  return tensors;
}

function formatOf(name: string, value: unknown): PackFormat {
  try {
    return checkFormat(value as PackFormat);
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_FILE', `the format of the packed tensor ${describe(name)}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function isPacked(value: FileTensor | PackedTensor): value is PackedTensor {
  return typeof value === 'object' && value !== null && 'parts' in value;
}
