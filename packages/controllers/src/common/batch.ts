/**
 * Runs `count` calls in batches of 1, 2, 4, …: a mistake that fails every call (a quota, a rejected template) costs one
 * call and not hundreds. Stops after the first batch with a failure. Upstream's slowStartBatch.
 *
 * @returns how many calls were made and the errors of those that failed.
 */
export async function slowStart(
  count: number,
  call: (index: number) => Promise<void>,
): Promise<{ called: number; errors: unknown[] }> {
  let called = 0;
  for (let size = 1; called < count; size *= 2) {
    const batch = Math.min(size, count - called);
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, i) => call(called + i)));
    called += batch;
    const errors = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
    if (errors.length > 0) return { called, errors };
  }
  return { called, errors: [] };
}
