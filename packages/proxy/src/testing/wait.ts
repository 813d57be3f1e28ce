export { deferred } from '@flotilla/base';

/** Resolves when `condition` holds; fails with its name after ten seconds. */
export async function systemWait(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const until = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
