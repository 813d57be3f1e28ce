import type * as meta from '../gen/meta-v1.js';
import type { KubeObject } from '../resources.js';
import { ageOf } from '../time.js';

export type Cell = string | number | boolean | null;

/** How one kind is shown in a table. Method syntax, so that functions of a kind's own type fit. */
export interface Printer {
  readonly columns: readonly meta.TableColumnDefinition[];
  /** One cell for each column. `now`: milliseconds since the epoch. */
  cells(object: KubeObject, now: number): Cell[];
  conditions?(object: KubeObject): meta.TableRowCondition[] | undefined;
}

export function column(name: string, type: string, description: string, priority = 0): meta.TableColumnDefinition {
  return { name, type, format: '', description, priority };
}

/** A column that only `-o wide` shows. */
export function wide(name: string, type: string, description: string): meta.TableColumnDefinition {
  return column(name, type, description, 1);
}

export const nameColumn: meta.TableColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name of the object, unique within its namespace.',
  priority: 0,
};

export const ageColumn = column('Age', 'string', 'The time since the object was created.');

export const none = '<none>';

export function nameOf(object: KubeObject): string {
  return object.metadata.name ?? '';
}

export function objectAge(object: KubeObject, now: number): string {
  return ageOf(object.metadata.creationTimestamp, now);
}

/** `a=1,b=2` in order of the keys, or `<none>`. */
export function labelsText(labels: Record<string, string> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? none : pairs.sort().join(',');
}

/** The first `max` items; the rest as a number: `a,b,c + 2 more...`. */
export function shortList(items: readonly string[], max = 3): string {
  const text = items.slice(0, max).join(',');
  return items.length > max ? `${text} + ${items.length - max} more...` : text;
}

/** Addresses of a load balancer, sorted, each once. */
export function loadBalancerText(ingress: readonly { ip?: string; hostname?: string }[] | undefined): string {
  const addresses = (ingress ?? []).map((point) => point.ip || point.hostname || '').filter((a) => a !== '');
  return [...new Set(addresses)].sort().join(',');
}
