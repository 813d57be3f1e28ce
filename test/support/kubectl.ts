import { findKubectl } from '@flotilla/testkit';
import test, { type ImplementationFn } from 'ava';

/** A test that drives a real kubectl; skipped, saying so, on a machine that has none. */
export function testWithKubectl(title: string, implementation: ImplementationFn<[]>): void {
  if (findKubectl()) test(title, implementation);
  else test.skip(`${title} (skipped: no kubectl on this machine)`, implementation);
}
