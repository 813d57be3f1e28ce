import { syncBuiltinESMExports } from 'node:module';
import { patchFiles } from '../shim/files.js';
import { patchHost } from '../shim/host.js';
import { patchNames } from '../shim/names.js';
import { readSettings } from '../shim/settings.js';
import { patchSockets } from '../shim/sockets.js';

/**
 * Preloaded into Node programs of containers (`NODE_OPTIONS=--require`): gives them the pod's network and mounts, which
 * without privileges nobody else can. Each part stands alone, and none may ever keep a program from running.
 */
function attempt(what: string, patch: () => void): void {
  try {
    patch();
  } catch (error) {
    if (process.env['FLOTILLA_DEBUG']) process.stderr.write(`flotilla shim: ${what}: ${String(error)}\n`);
  }
}

attempt('shim', () => {
  const { network, dns, mounts } = readSettings(process.env);
  if (mounts.length > 0) attempt('files', () => patchFiles(mounts));
  if (network) {
    attempt('sockets', () => patchSockets(network));
    attempt('host', () => patchHost(network));
    attempt('names', () => patchNames(network, dns));
  }
  if (network || mounts.length > 0) syncBuiltinESMExports();
});
