import { hash } from 'node:crypto';
import { encodeResource, type EncodedResource, type ResourceKind, resourceName, type Resources } from '@flotilla/xds';

/**
 * Encodes resources and gives equal ones the same object, within a generation and from one generation to the next: what
 * has not changed keeps its bytes, so that memory holds them once and comparing is comparing versions.
 */
export class Encoder {
  #present = new Map<string, EncodedResource>();
  #before = new Map<string, EncodedResource>();

  /** Forgets what was not used since the last call. Call it when the configuration changes. */
  nextGeneration(): void {
    this.#before = this.#present;
    this.#present = new Map();
  }

  encode<K extends ResourceKind>(kind: K, resource: Resources[K]): EncodedResource {
    const body = encodeResource(kind, resource);
    const name = resourceName(kind, resource);
    const version = hash('sha1', body.value!, 'base64').slice(0, 16);
    const key = `${kind}/${name}/${version}`;
    const known = this.#present.get(key) ?? this.#before.get(key) ?? { name, version, body };
    this.#present.set(key, known);
    return known;
  }

  /** All of them by name; `before` itself when nothing has changed. The first of two with one name counts. */
  encodeAll<K extends ResourceKind>(
    kind: K,
    resources: readonly Resources[K][],
    before: ReadonlyMap<string, EncodedResource> | undefined,
  ): ReadonlyMap<string, EncodedResource> {
    const out = new Map<string, EncodedResource>();
    for (const resource of resources) {
      const encoded = this.encode(kind, resource);
      if (!out.has(encoded.name)) out.set(encoded.name, encoded);
    }
    return before && sameContent(out, before) ? before : out;
  }
}

export function sameContent(
  one: ReadonlyMap<string, EncodedResource>,
  other: ReadonlyMap<string, EncodedResource>,
): boolean {
  if (one.size !== other.size) return false;
  for (const [name, resource] of one) if (other.get(name) !== resource) return false;
  return true;
}
