/** A number in [0, 1) that depends on its keys alone: murmur3's finalizer over them, one after the other. */
export function uniform(...keys: number[]): number {
  let state = 0x9e3779b9;
  for (const key of keys) {
    state = mix(state ^ (key >>> 0));
    state = mix(state ^ (Math.floor(key / 2 ** 32) >>> 0));
  }
  return state / 2 ** 32;
}

function mix(value: number): number {
  let state = (value + 0x9e3779b9) | 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
