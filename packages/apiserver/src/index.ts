export { userOfCertificate, userOfIdentity } from './authenticate.js';
export { type HttpsDoor } from './doors/https.js';
export { inject, type MeshConfig, proxyVersion, wantsSidecar } from './admission/sidecar.js';
export { addressIn } from './admission/service-addresses.js';
export type { HealthCheck } from './paths/health.js';
export type { Request, Response, ResponseSink, User } from './request.js';
export { type ApiServer, type ApiServerOptions, startApiServer } from './server.js';
export { objectCodec, type ObjectStore } from './storage.js';
