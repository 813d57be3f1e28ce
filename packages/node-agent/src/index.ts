export { dnsPort, startAgent } from './agent.js';
