import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { ArgumentError, parseIptablesArgs } from './iptables-args.js';

/**
 * `istio-init`: on loopback there are no packets to redirect, so the rules go into a file that the pod's programs read
 * (docs/architecture.md). Written beside and renamed, so that nobody reads half of it.
 */
export function runInit(args: readonly string[], env: Readonly<Record<string, string | undefined>>): void {
  const rules = parseIptablesArgs(args);
  const dir = env.FLOTILLA_CAPTURE_DIR;
  if (env.FLOTILLA_NETWORK !== 'loopback' || !dir) {
    throw new ArgumentError(
      'FLOTILLA_NETWORK=loopback and FLOTILLA_CAPTURE_DIR are needed; other networks are not supported yet',
    );
  }
  mkdirSync(dir, { recursive: true });
  const path = `${dir}/rules.json`;
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(rules)}\n`);
  renameSync(`${path}.${process.pid}`, path);
  process.stdout.write(`capture rules written to ${path}\n`);
}
