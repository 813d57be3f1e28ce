import { type AgentConfig, runProcess, textLogger } from '@flotilla/host';
import { startAgent } from '../agent.js';

void runProcess<AgentConfig>(textLogger('agent'), (config) =>
  startAgent(config, textLogger('agent', { level: config.logLevel ?? 'info', fields: { node: config.node } })),
);
