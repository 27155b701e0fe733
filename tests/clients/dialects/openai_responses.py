"""OpenAI Responses, without a store: thoughts are encrypted, and come back with the conversation."""

import json

from .story import CACHED, INPUT, MARK, OUTPUT, REASONING, Heard

CONTENT_TYPE = "text/event-stream"
IDS = ["call_hJ2hQ0WvYxC1dYp0nVxU7sXk", "call_9bXvB1Q0mJ5oZr3Wc8Lk2pTd"]
THOUGHTS_ID, ENCRYPTED = "rs_01830d662ab3856501693c321405c8", "reasoning.encrypted_content"
USAGE = {
    "input_tokens": INPUT,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens": OUTPUT,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": INPUT + OUTPUT,
}


def asked(path, request):
    assert path == "responses", path
    return request["model"], request.get("stream", False)


def hear(request):
    heard = Heard()
    asked_for = request["input"]
    for item in [{"role": "user", "content": asked_for}] if isinstance(asked_for, str) else asked_for:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] == "user":
            content = item["content"]
            for part in content if isinstance(content, list) else [{"type": "input_text", "text": content}]:
                if part["type"] == "input_text":
                    heard.prompt = heard.prompt or part["text"]
                else:
                    assert part["type"] == "input_image", part
                    media_type, data = part["image_url"].removeprefix("data:").split(";base64,")
                    heard.images.append([media_type, data])
        elif kind == "reasoning":
            # What is not stored is known by nothing but its content.
            assert item["id"] == THOUGHTS_ID, item
            assert "encrypted_content" in item, item
            heard.thoughts += [part["text"] for part in item["summary"]]
            heard.marks.append(item["encrypted_content"])
        elif kind == "function_call":
            assert isinstance(item["arguments"], str), item
            heard.hear_call(item["call_id"], item["name"], item["arguments"])
        elif kind == "function_call_output":
            output = item["output"]
            text = output if isinstance(output, str) else "".join(part["text"] for part in output)
            heard.hear_result(item["call_id"], text)
        else:
            assert kind == "message" and item["role"] in ("assistant", "system", "developer"), item
    for tool in request.get("tools", []):
        assert tool["type"] == "function", tool
        heard.tools.append([tool["name"], tool["parameters"]])
    heard.thinks = (request.get("reasoning") or {}).get("summary") is not None
    return heard


def response(request, status, output, usage=None, error=None):
    """The answer as far as it has come."""
    head = {"id": "resp_67e554a155508191900ee113293c4c83", "object": "response", "created_at": 1743082657}
    told = ("instructions", "max_output_tokens", "previous_response_id", "user")
    settings = {name: request.get(name) for name in told}
    settings |= {"background": False, "incomplete_details": None, "metadata": {}, "model": "scripted", "store": False}
    settings |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": request.get("tools", [])}
    settings |= {"temperature": 1.0, "top_p": 1.0, "truncation": "disabled", "text": {"format": {"type": "text"}}}
    settings |= {"reasoning": request.get("reasoning") or {"effort": None, "summary": None}, "service_tier": "default"}
    return {**head, **settings, "status": status, "output": output, "usage": usage, "error": error}


def thoughts_item(request, summary):
    item = {"id": THOUGHTS_ID, "type": "reasoning", "summary": summary}
    return {**item, "encrypted_content": MARK} if ENCRYPTED in (request.get("include") or []) else item


def text_part(text):
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def message_item(status, content):
    return {"id": "msg_0183", "type": "message", "status": status, "content": content, "role": "assistant"}


def call_item(status, call, arguments):
    head = {"id": f"fc_0183{call.number}", "type": "function_call", "status": status, "arguments": arguments}
    return {**head, "call_id": IDS[call.number], "name": call.name}


class Speaker:
    def __init__(self, request):
        self.request, self.number, self.output = request, 0, []

    def event(self, kind, **fields):
        data = json.dumps({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1
        return f"event: {kind}\ndata: {data}\n\n".encode()

    def response(self, kind, status, **more):
        return self.event(kind, response=response(self.request, status, self.output, **more))

    def begin(self):
        return self.response("response.created", "in_progress") + self.response("response.in_progress", "in_progress")

    def item(self, index, kind, item):
        return self.event(f"response.output_item.{kind}", output_index=index, item=item)

    def done(self, index, item):
        self.output.append(item)
        return self.item(index, "done", item)

    def thoughts(self, index, pieces):
        at = {"item_id": THOUGHTS_ID, "output_index": index, "summary_index": 0}
        text = "".join(pieces)
        part = {"type": "summary_text", "text": text}
        yield self.item(index, "added", thoughts_item(self.request, []))
        yield self.event("response.reasoning_summary_part.added", **at, part={**part, "text": ""})
        for piece in pieces:
            yield self.event("response.reasoning_summary_text.delta", **at, delta=piece, obfuscation="zGx7bY")
        yield self.event("response.reasoning_summary_text.done", **at, text=text)
        yield self.event("response.reasoning_summary_part.done", **at, part=part)
        yield self.done(index, thoughts_item(self.request, [part]))

    def text(self, index, pieces):
        at = {"item_id": "msg_0183", "output_index": index, "content_index": 0}
        text = ""
        yield self.item(index, "added", message_item("in_progress", []))
        yield self.event("response.content_part.added", **at, part=text_part(""))
        for piece in pieces:
            text += piece
            yield self.event("response.output_text.delta", **at, delta=piece, logprobs=[], obfuscation="a8Wq")
        yield self.event("response.output_text.done", **at, text=text, logprobs=[])
        yield self.event("response.content_part.done", **at, part=text_part(text))
        yield self.done(index, message_item("completed", [text_part(text)]))

    def call(self, index, call):
        at = {"item_id": f"fc_0183{call.number}", "output_index": index}
        yield self.item(index, "added", call_item("in_progress", call, ""))
        for piece in call.pieces:
            yield self.event("response.function_call_arguments.delta", **at, delta=piece, obfuscation="Yk")
        yield self.event("response.function_call_arguments.done", **at, arguments=call.arguments)
        yield self.done(index, call_item("completed", call, call.arguments))

    def end(self, _parts):
        return self.response("response.completed", "completed", usage=USAGE)

    def failure(self, text):
        error = {"type": "server_error", "code": "server_error", "message": text, "param": None}
        failed = {"code": "server_error", "message": text}
        return self.event("error", error=error) + self.response("response.failed", "failed", error=failed)


def whole(request, parts):
    output = []
    for kind, content in parts:
        if kind == "text":
            output.append(message_item("completed", [text_part("".join(content))]))
        elif kind == "thoughts":
            output.append(thoughts_item(request, [{"type": "summary_text", "text": "".join(content)}]))
        else:
            output.append(call_item("completed", content, content.arguments))
    return response(request, "completed", output, usage=USAGE)


def refusal(status, text):
    kind, code = ("requests", "rate_limit_exceeded") if status == 429 else ("invalid_request_error", None)
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}
