import { type Resource, type ResourceKind, resourceToJson, type Resources, toEnvoyJson } from '@flotilla/xds';
import type { ConfigState, Kept } from '../config/config-state.js';
import type { AdminPorts } from './routes.js';
import { type AdminResponse, json, text } from './http.js';

type Dump = Record<string, unknown>;

/**
 * `/config_dump`: every resource as it was received, with its version. `resource=` chooses one list as Envoy does,
 * `name_regex=` its entries by name; `include_eds` is always on, since endpoints are what people look for.
 */
export function configDump(query: URLSearchParams, { config, node }: AdminPorts): AdminResponse {
  const filter = nameFilter(query.get('name_regex'));
  if (!filter) return text('Error while parsing name_regex\n', 400);
  const lists = dumpLists(config, filter);
  const wanted = query.get('resource');
  if (wanted) {
    const list = lists.find(({ field }) => field === wanted);
    return list ? json({ configs: list.entries }) : text(`${wanted} not found in config dump\n`, 404);
  }
  const bootstrap = {
    '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump',
    bootstrap: { node: toEnvoyJson('envoy.config.core.v3.Node', node) },
  };
  const sections = new Map<string, Dump>();
  for (const { type, field, entries } of lists) {
    const section = sections.get(type) ?? { '@type': `type.googleapis.com/envoy.admin.v3.${type}` };
    section[field] = entries;
    sections.set(type, section);
  }
  return json({ configs: [bootstrap, ...sections.values()] });
}

function nameFilter(pattern: string | null): ((name: string) => boolean) | undefined {
  if (!pattern) return () => true;
  try {
    const regex = new RegExp(pattern);
    return (name) => regex.test(name);
  } catch {
    return undefined;
  }
}

interface List {
  type: string;
  field: string;
  entries: Dump[];
}

function dumpLists(config: ConfigState, filter: (name: string) => boolean): List[] {
  const { kept } = config;
  const some = <K extends ResourceKind>(
    kind: K,
    all: ReadonlyMap<string, Kept<Resources[K] & Resource>>,
    field: string,
    names?: Iterable<string>,
  ) => {
    const only = names && new Set(names);
    return [...all]
      .filter(([name]) => filter(name) && (!only || only.has(name)))
      .map(([name, entry]) => entryOf(kind, name, entry, field));
  };
  const warmClusters = [...config.warming('cluster')];
  return [
    {
      type: 'ClustersConfigDump',
      field: 'dynamic_active_clusters',
      entries: some('cluster', kept.cluster, 'cluster', config.clusters.keys()),
    },
    {
      type: 'ClustersConfigDump',
      field: 'dynamic_warming_clusters',
      entries: some('cluster', kept.cluster, 'cluster', warmClusters),
    },
    { type: 'ListenersConfigDump', field: 'dynamic_listeners', entries: listeners(config, filter) },
    { type: 'RoutesConfigDump', field: 'dynamic_route_configs', entries: some('route', kept.route, 'route_config') },
    {
      type: 'EndpointsConfigDump',
      field: 'dynamic_endpoint_configs',
      entries: some('endpoint', kept.endpoint, 'endpoint_config'),
    },
  ];
}

function entryOf<K extends ResourceKind>(
  kind: K,
  _name: string,
  { resource, version, at }: Kept<Resources[K] & Resource>,
  field: string,
): Dump {
  return { version_info: version, [field]: resourceToJson(kind, resource), last_updated: new Date(at).toISOString() };
}

function listeners(config: ConfigState, filter: (name: string) => boolean): Dump[] {
  const warming = new Set(config.warming('listener'));
  return [...config.kept.listener]
    .filter(([name]) => filter(name))
    .map(([name, entry]) => ({
      name,
      [warming.has(name) ? 'warming_state' : 'active_state']: entryOf('listener', name, entry, 'listener'),
    }));
}
