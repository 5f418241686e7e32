/** Does what concerns one name one at a time, in the order it came. */
export type Lanes = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** Makes lanes; a name has one only while something is in it. */
export function createLanes(): Lanes {
  const lasts = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const before = lasts.get(name) ?? Promise.resolve();
    const result = before.then(work);
    const settled = result
      .catch(() => undefined)
      .then(() => {
        if (lasts.get(name) === settled) lasts.delete(name);
      });
    lasts.set(name, settled);
    return result;
  };
}
