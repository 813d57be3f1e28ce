// The default export is the module object itself, which programs share; named imports would be copies.
import dnsModule, { type LookupAddress, type LookupOptions, type Resolver } from 'node:dns';
import { parseIPv4 } from '../network/ipam.js';
import { replace } from './replace.js';
import type { ShimSettings } from './settings.js';

type Dns = NonNullable<ShimSettings['dns']>;
type Callback = (error: NodeJS.ErrnoException | null, address?: string | LookupAddress[], family?: number) => void;

/**
 * The names under the cluster's domain that `name` may stand for, in the order of resolv.conf(5)'s search list. Names of
 * the outside are the host's business and not among them.
 */
export function candidates(name: string, dns: Pick<Dns, 'domain' | 'searches' | 'ndots'>): string[] {
  const lower = name.toLowerCase();
  const inZone = (full: string): boolean => full === dns.domain || full.endsWith(`.${dns.domain}`);
  if (lower.endsWith('.')) return inZone(lower.slice(0, -1)) ? [lower.slice(0, -1)] : [];
  // Whoever says the whole name means it: spare the search list's sure misses.
  if (inZone(lower)) return [lower];
  if (lower.split('.').length - 1 >= dns.ndots) return [];
  return dns.searches.map((search) => `${lower}.${search}`).filter(inZone);
}

/** While the agent restarts its DNS server is away for a moment. */
const patience = { tries: 20, wait: 100 };

export function patchNames(network: NonNullable<ShimSettings['network']>, dns: Dns | undefined): void {
  if (dns) resolveThere(dns.server);
  let resolver: Resolver | undefined;

  const ask = (names: string[], tries: number, found: (addresses: string[] | undefined) => void): void => {
    const [name, ...others] = names;
    if (name === undefined) return found(undefined);
    if (!resolver) {
      resolver = new dnsModule.Resolver({ timeout: 1000, tries: 2 });
      resolver.setServers([dns!.server]);
    }
    resolver.resolve4(name, (error, addresses) => {
      if (!error && addresses.length > 0) return found(addresses);
      const away = error?.code === 'ECONNREFUSED' || error?.code === 'ETIMEOUT';
      if (away && tries < patience.tries) setTimeout(() => ask(names, tries + 1, found), patience.wait);
      else ask(others, tries, found);
    });
  };

  replace(dnsModule, 'lookup', (original) => {
    const lookup = (hostname: string, options: unknown, callback?: unknown): void => {
      const done = (typeof options === 'function' ? options : callback) as Callback;
      const asks = lookupOptions(options);
      const own = typeof hostname === 'string' ? network.hosts[hostname.toLowerCase()] : undefined;
      const names = dns && typeof hostname === 'string' && !isAddress(hostname) ? candidates(hostname, dns) : [];
      const viaHost = (): void => void Reflect.apply(original, dnsModule, [hostname, options, callback]);
      if (
        typeof done !== 'function' ||
        asks === undefined ||
        (own === undefined && names.length === 0) ||
        isLocal(hostname)
      ) {
        return viaHost();
      }
      const finish = (addresses: string[] | undefined): void => {
        if (addresses && asks.family !== 6) return answer(done, addresses, asks.all);
        // A name of our zone that is not there is nowhere.
        if (addresses || names[0] === hostname.toLowerCase().replace(/\.$/, '')) return done(notFound(hostname));
        viaHost();
      };
      if (own !== undefined) process.nextTick(finish, [own]);
      else ask(names, 0, finish);
    };
    return lookup as typeof original;
  });

  replace(dnsModule.promises, 'lookup', () => {
    const lookup = (hostname: string, options: LookupOptions = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        dnsModule.lookup(hostname, options, (error, address, family) => {
          if (error) reject(error);
          else resolve(options.all ? address : { address, family });
        });
      });
    return lookup as typeof dnsModule.promises.lookup;
  });
}

/** The `resolve…` functions ask the node's server. Set on first use, as c-ares takes milliseconds to begin. */
function resolveThere(server: string): void {
  let set = false;
  for (const target of [dnsModule, dnsModule.promises]) {
    for (const [name, original] of Object.entries(target) as [string, unknown][]) {
      if (typeof original !== 'function' || !/^(resolve|reverse)/.test(name)) continue;
      const first = function (this: unknown, ...args: unknown[]): unknown {
        if (!set) dnsModule.setServers([server]);
        set = true;
        // `setServers` puts functions bound to a new resolver in the place of all of these.
        const current: unknown = Reflect.get(target, name);
        return Reflect.apply(typeof current === 'function' && current !== first ? current : original, this, args);
      };
      Reflect.set(target, name, first);
    }
  }
  // Who chooses servers has chosen.
  for (const target of [dnsModule, dnsModule.promises]) {
    replace(target, 'setServers', (original) => (servers) => {
      set = true;
      original(servers);
    });
  }
}

/** `net.isIP` without loading `net`. */
function isAddress(text: string): boolean {
  return parseIPv4(text) !== undefined || text.includes(':');
}

function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

/** Undefined if Node itself must say what is wrong with them. */
function lookupOptions(options: unknown): { family: number; all: boolean } | undefined {
  if (options === undefined || options === null || typeof options === 'function') return { family: 0, all: false };
  if (typeof options === 'number') return { family: options, all: false };
  if (typeof options !== 'object') return undefined;
  const { family, all } = options as { family?: unknown; all?: unknown };
  const number = family === 'IPv6' ? 6 : family === 'IPv4' ? 4 : typeof family === 'number' ? family : 0;
  return { family: number, all: all === true };
}

function answer(done: Callback, addresses: string[], all: boolean): void {
  if (all) {
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  } else {
    done(null, addresses[0]!, 4);
  }
}

function notFound(hostname: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException & { hostname?: string } = new Error(`getaddrinfo ENOTFOUND ${hostname}`);
  return Object.assign(error, { errno: -3008, code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname });
}
