"""The official OpenAI SDK for Python, to upstreams of every dialect: Chat Completions and Responses."""

import json

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

from dialects.story import TEXT
from harness import now
from translation.matrix import IMAGE, INTERPRETER, RESULTS, TOOLS, Answer, Matrix, for_every_upstream

PICTURE = f"data:image/png;base64,{IMAGE}"


class Broken(Exception):
    """An error over a WebSocket, where the SDK raises none."""

    def __init__(self, event):
        super().__init__(event.error.message)
        self.event = event


class OpenAi(Matrix):
    broken, limited = openai.APIError, openai.RateLimitError

    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=f"{INTERPRETER}/v1", api_key="none", max_retries=0, timeout=30)
        cls.addClassCleanup(cls.client.close)


class Chat(OpenAi):
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in TOOLS.items()]

    def begin(self, image=None):
        picture = [{"type": "image_url", "image_url": {"url": PICTURE}}] if image else []
        return [{"role": "user", "content": [{"type": "text", "text": self.prompt}, *picture]}]

    def create(self, messages, model, **more):
        return self.client.chat.completions.create(model=model, messages=messages, **more)

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        if thinks:
            # The API has no word for showing thoughts; this is OpenRouter's.
            more |= {"tools": self.tools, "reasoning_effort": "low", "extra_body": {"reasoning": {"exclude": False}}}
        completion = self.create(conversation, model, **more)
        if stream:
            state = ChatCompletionStreamState()
            for chunk in completion:
                state.handle_chunk(chunk)
                answer.say(chunk.choices[0].delta.content if chunk.choices else None)
            completion = state.get_final_completion()
        message = completion.choices[0].message
        if not stream:
            answer.say(message.content)
        answer.thoughts = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", "")
        calls = [(call.id, call.function) for call in message.tool_calls or []]
        answer.calls = [(id, function.name, json.loads(function.arguments)) for id, function in calls]
        self.assertEqual(completion.choices[0].finish_reason, "tool_calls" if calls else "stop")
        usage = completion.usage
        thought, cached = usage.completion_tokens_details.reasoning_tokens, usage.prompt_tokens_details.cached_tokens
        answer.usage = (usage.prompt_tokens, cached, usage.completion_tokens, thought)
        conversation.append(message.to_dict())

    def add_results(self, conversation, results):
        conversation += [{"role": "tool", "tool_call_id": id, "content": text} for id, _, text in results]

    def leave(self, model):
        stream = self.create(self.begin(), model, stream=True)
        for _ in zip(range(5), stream):
            pass
        stream.close()
        return now()


class Responses(OpenAi):
    tools = [
        {"type": "function", "name": name, "parameters": schema, "strict": False} for name, schema in TOOLS.items()
    ]

    def begin(self, image=None):
        picture = [{"type": "input_image", "image_url": PICTURE}] if image else []
        return [{"role": "user", "content": [{"type": "input_text", "text": self.prompt}, *picture]}]

    def create(self, conversation, model, **more):
        return self.client.responses.create(model=model, input=conversation, store=False, **more)

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        more = self.thinking() if thinks else {}
        if stream:
            with self.client.responses.stream(model=model, input=conversation, store=False, **more) as events:
                response = self.hear(events, answer)
        else:
            response = self.create(conversation, model, **more)
            answer.say(response.output_text)
        self.note(response, answer)
        conversation += response.output

    def thinking(self):
        reasoning = {"effort": "low", "summary": "auto"}
        return {"reasoning": reasoning, "tools": self.tools, "include": ["reasoning.encrypted_content"]}

    def hear(self, events, answer):
        """Follows `events` to the end of the response, and returns it."""
        thoughts = ""
        for event in events:
            if event.type == "response.output_text.delta":
                answer.say(event.delta)
            elif event.type == "response.reasoning_summary_text.delta":
                thoughts += event.delta
            elif event.type == "response.completed":
                told = [part.text for item in event.response.output if item.type == "reasoning" for part in item.summary]
                self.assertIn(thoughts, ("".join(told), ""))
                return event.response
            elif event.type == "error":
                raise Broken(event)

    def note(self, response, answer):
        for item in response.output:
            if item.type == "reasoning":
                answer.thoughts += "".join(part.text for part in item.summary)
            elif item.type == "function_call":
                answer.calls.append((item.call_id, item.name, json.loads(item.arguments)))
        usage = response.usage
        cached, thought = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
        answer.usage = (usage.input_tokens, cached, usage.output_tokens, thought)

    def add_results(self, conversation, results):
        conversation += [{"type": "function_call_output", "call_id": id, "output": text} for id, _, text in results]

    def leave(self, model):
        stream = self.create(self.begin(), model, stream=True)
        for _ in zip(range(8), stream):
            pass
        stream.close()
        return now()


class WebSocket(Responses):
    """Responses over one connection. They stream, whatever a test would have."""

    broken = limited = Broken

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        more = self.thinking() if thinks else {}
        with self.client.responses.connect() as connection:
            connection.response.create(model=model, input=conversation, store=False, **more)
            response = self.hear(connection, answer)
        self.note(response, answer)
        conversation += response.output

    def leave(self, model):
        with self.client.responses.connect() as connection:
            connection.response.create(model=model, input=self.begin(), store=False)
            for _ in zip(range(8), connection):
                pass
            connection.close()
            return now()

    def retry_after(self, error):
        self.assertEqual(error.event.status, 429)
        return error.event.error.headers["retry-after"]

    def test_a_response_goes_on_from_the_one_before_it(self):
        model = f"{self.upstream}/tools"
        with self.client.responses.connect() as connection:
            create = lambda **more: connection.response.create(model=model, store=False, **self.thinking(), **more)
            answer = Answer()
            create(input=self.begin())
            first = self.hear(connection, answer)
            self.note(first, answer)
            results = []
            self.add_results(results, [(id, name, RESULTS[name]) for id, name, _ in answer.calls])
            create(input=results, previous_response_id=first.id)
            answer = Answer()
            self.hear(connection, answer)
        self.assertEqual("".join(answer.pieces), "".join(TEXT))
        self.assert_remembered(self.heard())

    def test_streams_of_one_connection_are_told_apart(self):
        with self.client.responses.connect() as connection:
            for stream in "ab":
                model = f"{self.upstream}/text"
                connection.response.create(model=model, input=self.begin(), store=False, stream_id=stream)
            pieces, ended = {"a": [], "b": []}, 0
            while ended < 2:
                event = connection.recv()
                ended += event.type == "response.completed"
                if event.type == "response.output_text.delta":
                    pieces[event.stream_id].append(event.delta)
        self.assertEqual(pieces, {"a": TEXT, "b": TEXT})


for_every_upstream(globals(), Chat, Responses, WebSocket)
