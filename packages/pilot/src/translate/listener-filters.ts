import { type ListenerFilter, type ListenerFilterChainMatchPredicate, pack } from '@flotilla/xds';
import type { Interception } from '../model/proxy.js';
import { filters } from './names.js';

/** Where a captured connection wanted to go: told by the kernel, or on loopback by a PROXY protocol header. */
export function originalDestination(interception: Interception): ListenerFilter {
  if (interception !== 'LOOPBACK') return originalDst();
  return {
    name: filters.proxyProtocol,
    typed_config: pack('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', {}),
  };
}

export function originalDst(): ListenerFilter {
  return {
    name: filters.originalDst,
    typed_config: pack('envoy.extensions.filters.listener.original_dst.v3.OriginalDst', {}),
  };
}

/** Tells HTTP from anything else by the first bytes. */
export function httpInspector(disabled?: ListenerFilterChainMatchPredicate): ListenerFilter {
  return {
    name: filters.httpInspector,
    typed_config: pack('envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', {}),
    ...(disabled ? { filter_disabled: disabled } : {}),
  };
}

/** Tells TLS from plain bytes, and reads the server name that a client asks for. */
export function tlsInspector(): ListenerFilter {
  return {
    name: filters.tlsInspector,
    typed_config: pack('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {}),
  };
}
