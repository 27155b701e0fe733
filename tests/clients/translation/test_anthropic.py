"""The official Anthropic SDK for Python, to upstreams of every dialect."""

import anthropic

from harness import now
from translation.matrix import INTERPRETER, TOOLS, Matrix, for_every_upstream


class Messages(Matrix):
    broken, limited = anthropic.APIError, anthropic.RateLimitError
    tools = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]

    @classmethod
    def setUpClass(cls):
        cls.client = anthropic.Anthropic(base_url=INTERPRETER, api_key="none", max_retries=0, timeout=30)
        cls.addClassCleanup(cls.client.close)

    def begin(self, image=None):
        source = {"type": "base64", "media_type": "image/png", "data": image}
        picture = [{"type": "image", "source": source}] if image else []
        return [{"role": "user", "content": [{"type": "text", "text": self.prompt}, *picture]}]

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        more = {"tools": self.tools, "thinking": {"type": "enabled", "budget_tokens": 1024}} if thinks else {}
        request = {"model": model, "messages": conversation, "max_tokens": 2048, **more}
        if stream:
            with self.client.messages.stream(**request) as events:
                for event in events:
                    if event.type == "text":
                        answer.say(event.text)
                message = events.get_final_message()
        else:
            message = self.client.messages.create(**request)
        for block in message.content:
            if block.type == "thinking":
                answer.thoughts += block.thinking
            elif block.type == "tool_use":
                answer.calls.append((block.id, block.name, block.input))
            elif block.type == "text" and not stream:
                answer.say(block.text)
        self.assertEqual(message.stop_reason, "tool_use" if answer.calls else "end_turn")
        usage, details = message.usage, message.usage.output_tokens_details
        prompt = usage.input_tokens + usage.cache_read_input_tokens + (usage.cache_creation_input_tokens or 0)
        thought = details.thinking_tokens if details else 0
        answer.usage = (prompt, usage.cache_read_input_tokens, usage.output_tokens, thought)
        conversation.append({"role": "assistant", "content": message.content})

    def add_results(self, conversation, results):
        content = [{"type": "tool_result", "tool_use_id": id, "content": text} for id, _, text in results]
        conversation.append({"role": "user", "content": content})

    def leave(self, model):
        stream = self.client.messages.create(model=model, messages=self.begin(), max_tokens=2048, stream=True)
        for _ in zip(range(5), stream):
            pass
        stream.close()
        return now()


for_every_upstream(globals(), Messages)
