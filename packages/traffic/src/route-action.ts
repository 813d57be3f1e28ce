import {
  durationMs,
  type RouteAction,
  type RouteAction_RequestMirrorPolicy,
  type RoutingPriority,
  type VirtualHost,
} from '@flotilla/xds';
import { type ClusterSpecifier, compileClusters } from './clusters.js';
import { InvalidConfig, refuse } from './invalid.js';
import { compileRetryPolicy, type RetryPolicy } from './retry-policy.js';
import { compileRewrite, type Rewrite } from './rewrite.js';
import { runtimeFraction } from './values.js';

export interface Mirror {
  cluster: string;
  share: number;
  /** Append `-shadow` to the host, as Envoy does by default. */
  shadowHost: boolean;
}

/** Send the request to a cluster. Times are milliseconds, 0 is none. */
export interface Forward {
  kind: 'forward';
  clusters: ClusterSpecifier;
  rewrite: Rewrite;
  /** Take the upstream endpoint's hostname as authority. */
  autoHost: boolean;
  /** `append_x_forwarded_host`, where the host changes late: `autoHost` or a weight's own rewrite. */
  keepHost: boolean;
  /** The whole request with its retries; Envoy's default is 15 s. */
  timeout: number;
  /** Between bytes; undefined leaves it to the connection manager. */
  idleTimeout: number | undefined;
  maxDuration: number;
  retry: RetryPolicy | undefined;
  mirrors: readonly Mirror[];
  priority: RoutingPriority;
  /** Status when the cluster is not known. */
  clusterMissing: number;
  /** Upgrade type in lower case → allowed, overriding the connection manager. */
  upgrades: ReadonlyMap<string, boolean>;
  attemptCount: { request: boolean; response: boolean };
}

const missing = { SERVICE_UNAVAILABLE: 503, NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 } as const;

export function compileForward(
  action: RouteAction,
  matchedPrefix: string | undefined,
  host: VirtualHost,
  routeMirrors: readonly RouteAction_RequestMirrorPolicy[] | undefined,
  path: string,
): Forward {
  refuse(path, action, [
    'metadata_match',
    'retry_policy_typed_config',
    'cors',
    'internal_redirect_policy',
    'hedge_policy',
  ]);
  refuse(path, action, ['rate_limits', 'internal_redirect_action', 'early_data_policy']);
  const retry = action.retry_policy ?? host.retry_policy;
  const mirrors = action.request_mirror_policies ?? host.request_mirror_policies ?? routeMirrors ?? [];
  return {
    kind: 'forward',
    clusters: compileClusters(action, path),
    rewrite: compileRewrite(action, matchedPrefix, path),
    autoHost: action.auto_host_rewrite ?? false,
    keepHost: action.append_x_forwarded_host ?? false,
    timeout: durationMs(action.timeout) ?? 15_000,
    idleTimeout: durationMs(action.idle_timeout),
    maxDuration: durationMs(action.max_stream_duration?.max_stream_duration) ?? 0,
    retry: retry && compileRetryPolicy(retry, `${path}.retry_policy`),
    mirrors: mirrors.map((mirror, i) => compileMirror(mirror, `${path}.request_mirror_policies[${i}]`)),
    priority: action.priority ?? 'DEFAULT',
    clusterMissing: missing[action.cluster_not_found_response_code ?? 'SERVICE_UNAVAILABLE'],
    upgrades: new Map(
      (action.upgrade_configs ?? []).map((u) => [(u.upgrade_type ?? '').toLowerCase(), u.enabled ?? true]),
    ),
    attemptCount: {
      request: host.include_request_attempt_count ?? false,
      response: host.include_attempt_count_in_response ?? false,
    },
  };
}

function compileMirror(policy: RouteAction_RequestMirrorPolicy, path: string): Mirror {
  refuse(path, policy, ['cluster_header']);
  if (!policy.cluster) throw new InvalidConfig(`${path}.cluster`, 'a cluster is required');
  return {
    cluster: policy.cluster,
    share: runtimeFraction(policy.runtime_fraction),
    shadowHost: !(policy.disable_shadow_host_suffix_append ?? false),
  };
}
