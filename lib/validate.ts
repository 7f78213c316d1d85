import { rangeError, typeError } from './errors.js';

/** A short description of a received value for error messages. */
export function describe(value: unknown, depth = 0): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}...` : value}'`;
  if (Array.isArray(value) && depth === 3) return '[...]'; // an array may hold itself
  if (Array.isArray(value)) {
    const first = Array.from({ length: Math.min(value.length, 8) }, (_, i) => describe(value[i], depth + 1));
    return `[${first.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return `an instance of ${value.constructor?.name ?? 'Object'}`;
  return String(value);
}

/** An integer in [low, high], else a TypeError / RangeError that names the option. */
export function integer(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be a number but received ${describe(value)}`);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw rangeError('ERR_SK_OPTION', `expected ${name} to be an integer from ${low} to ${high} but received ${value}`);
  }
  return value;
}

/** A number in [low, high], else a TypeError / RangeError that names the option. */
export function number(value: unknown, name: string, low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY): number {
  if (typeof value !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be a number but received ${describe(value)}`);
  if (!(value >= low && value <= high)) {
    throw rangeError('ERR_SK_OPTION', `expected ${name} to be a number from ${low} to ${high} but received ${value}`);
  }
  return value;
}

/** A boolean, else a TypeError that names the option. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError('ERR_SK_TYPE', `expected ${name} to be a boolean but received ${describe(value)}`);
}

/** One of the names, else a TypeError / RangeError that lists them. */
export function oneOf<T extends string>(value: unknown, name: string, names: readonly T[]): T {
  if (typeof value !== 'string') throw typeError('ERR_SK_TYPE', `expected ${name} to be a string but received ${describe(value)}`);
  if (!names.includes(value as T)) {
    throw rangeError('ERR_SK_OPTION', `expected ${name} to be one of ${names.join(', ')} but received ${describe(value)}`);
  }
  return value as T;
}

/** An object of options with no other keys than the known ones: a misspelt option is an error, not a default. */
export function options<T extends object>(value: unknown, name: string, known: readonly (keyof T & string)[]): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be an object but received ${describe(value)}`);
  }
  for (const key in value) {
    if (!(known as readonly string[]).includes(key)) {
      throw rangeError('ERR_SK_OPTION', `expected ${name} to have only ${known.join(', ')} but received ${describe(key)}`);
    }
  }
  return value as T;
}
