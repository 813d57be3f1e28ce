import type { Reset, ResetReason, ResponseFlag } from '@flotilla/traffic';

/** What a client is told when no upstream answered: the one table from internal failures to responses. */
export interface LocalReply {
  status: number;
  body: string;
  flag: ResponseFlag | undefined;
  details: string;
  headers?: [string, string][];
}

const flags: Record<ResetReason, ResponseFlag> = {
  'local connection failure': 'UF',
  'remote connection failure': 'UF',
  'connection timeout': 'UF',
  'connection termination': 'UC',
  'remote reset': 'UR',
  'remote refused stream reset': 'UR',
  'local reset': 'LR',
  overflow: 'UO',
  'protocol error': 'UPE',
  'per try timeout': 'UT',
};

export const noRoute: LocalReply = { status: 404, body: '', flag: 'NR', details: 'route_not_found' };
export const noHealthyUpstream: LocalReply = {
  status: 503,
  body: 'no healthy upstream',
  flag: 'UH',
  details: 'no_healthy_upstream',
};
export const requestTimeout: LocalReply = {
  status: 504,
  body: 'upstream request timeout',
  flag: 'UT',
  details: 'response_timeout',
};
export const requestTooSlow: LocalReply = {
  status: 408,
  body: 'request timeout',
  flag: undefined,
  details: 'request_overall_timeout',
};
export const maxDuration: LocalReply = {
  status: 408,
  body: 'downstream duration timeout',
  flag: 'UMSDR',
  details: 'max_duration_timeout',
};
export const overflow: LocalReply = {
  status: 503,
  body: 'upstream connect error or disconnect/reset before headers. reset reason: overflow',
  flag: 'UO',
  details: 'upstream_reset_before_response_started{overflow}',
  headers: [['x-envoy-overloaded', 'true']],
};

/** @param complete whether the whole request had been received: else it is the client that was too slow. */
export function streamIdle(complete: boolean): LocalReply {
  return { status: complete ? 504 : 408, body: 'stream timeout', flag: 'SI', details: 'stream_idle_timeout' };
}

export function noCluster(status: number): LocalReply {
  return { status, body: '', flag: 'NC', details: 'cluster_not_found' };
}

/** @param retried whether this was not the first try. */
export function upstreamReset(reset: Reset, transport: string, retried: boolean): LocalReply {
  const { reason } = reset;
  if (reason === 'overflow') return overflow;
  if (reason === 'per try timeout') return { ...requestTimeout, details: 'upstream_per_try_timeout' };
  const why = transport ? `, transport failure reason: ${transport}` : '';
  const latest = retried ? 'retried and the latest ' : '';
  const detail = [reason, transport].filter(Boolean).join('|').replaceAll(' ', '_');
  return {
    status: reason === 'protocol error' ? 502 : 503,
    body: `upstream connect error or disconnect/reset before headers. ${latest}reset reason: ${reason}${why}`,
    flag: flags[reason],
    details: `upstream_reset_before_response_started{${detail}}`,
  };
}
